"""Aggregates over environments and seeds, with bootstrap intervals.

Interquartile mean, probability of improvement and stratified bootstrap are those of Agarwal et
al., Deep Reinforcement Learning at the Edge of the Statistical Precipice (2021), by its library.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.stats
from rliable import library

RESAMPLES = 2000
CONFIDENCE = 0.95
SEED = 0
Statistic = Callable[..., np.ndarray]


@dataclasses.dataclass(frozen=True)
class Estimate:
  """A statistic of any shape, and its 95% interval; NaN bounds where one seed gives none."""

  value: np.ndarray
  low: np.ndarray
  high: np.ndarray

  def __getitem__(self, index: Any) -> Estimate:
    return Estimate(self.value[index], self.low[index], self.high[index])


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
  """Fixes NumPy's global generator for a while: rliable 1.2 draws from it, whatever it is told."""
  state = np.random.get_state()  # noqa: NPY002
  np.random.seed(SEED)  # noqa: NPY002
  try:
    yield
  finally:
    np.random.set_state(state)  # noqa: NPY002


def estimate(scores: np.ndarray, statistic: Statistic) -> Estimate:
  """A statistic of all bonuses at once, with percentile intervals of the stratified bootstrap.

  Seeds are drawn anew for each bonus and environment; the environments stay as they are.

  Args:
    scores: float [B, S, E], of B bonuses with S seeds in E environments.
    statistic: of an array like `scores`, giving any shape.
  """
  value = statistic(scores)
  missing = np.full_like(value, np.nan)
  if scores.shape[1] < 2:
    return Estimate(value, missing, missing)
  with _seeded():
    _, intervals = library.get_interval_estimates(
      {"all": list(scores)},
      lambda *drawn: statistic(np.stack(drawn)).ravel(),
      reps=RESAMPLES,
      confidence_interval_size=CONFIDENCE,
    )
  low, high = intervals["all"].reshape(2, *value.shape)
  return Estimate(value, low, high)


def interquartile_mean(scores: np.ndarray) -> np.ndarray:
  """The mean of the middle half of a bonus's scores in all seeds and environments; [B]."""
  return scipy.stats.trim_mean(scores.reshape(len(scores), -1), 0.25, axis=1)


def mean_rank(scores: np.ndarray) -> np.ndarray:
  """The rank of a bonus's mean score, 1 the best, as a mean over environments; [B].

  Those that tie share the mean of their ranks.
  """
  # Rounded, for the order of summation would break ties.
  means = scores.mean(axis=1).round(9)
  return scipy.stats.rankdata(-means, axis=0).mean(axis=1)


def probability_of_improvement(scores: np.ndarray) -> np.ndarray:
  """How often a run of bonus i outdoes one of bonus j in the same environment; [B, B].

  A tie counts half; a mean over environments.
  """
  outdone = scores[:, None, :, None] - scores[None, :, None, :]
  return (0.5 + 0.5 * np.sign(outdone)).mean(axis=(2, 3, 4))


def mean_over_seeds(values: np.ndarray) -> Estimate:
  """The mean over seeds, at each of N points, with percentile intervals of the bootstrap.

  Args:
    values: float [S, N], NaN where a seed lacks a point.

  Returns:
    Arrays [N]; NaN where no seed has the point.
  """
  known = np.isfinite(values)
  filled = np.where(known, values, 0.0)

  def mean(counts: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
      return (counts @ filled) / (counts @ known)

  seeds = len(values)
  value = mean(np.ones((1, seeds)))[0]
  if seeds < 2:
    return Estimate(value, np.full_like(value, np.nan), np.full_like(value, np.nan))
  counts = np.random.default_rng(SEED).multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES)
  drawn = np.where(np.isfinite(means := mean(counts)), means, value)
  tail = (1 - CONFIDENCE) / 2
  low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
  return Estimate(value, low, high)


def largest_rectangle(cells: set[tuple[str, str]]) -> tuple[set[str], set[str]]:
  """The bonuses and environments to aggregate over while some cells are missing.

  An aggregate is fair only over environments that all its bonuses have; of the choices that put
  the bonuses with more environments first, this keeps the most cells.

  Args:
    cells: bonuses in environments that are complete.

  Returns:
    bonuses, envs; every bonus is complete in every environment.
  """
  envs: dict[str, set[str]] = {}
  for bonus, env in cells:
    envs.setdefault(bonus, set()).add(env)
  best: tuple[set[str], set[str]] = (set(), set())
  order = sorted(envs, key=lambda bonus: (-len(envs[bonus]), bonus))
  for count in range(1, len(order) + 1):
    common = set.intersection(*(envs[bonus] for bonus in order[:count]))
    if count * len(common) >= len(best[0]) * len(best[1]):
      best = set(order[:count]), common
  return best
