"""What a comparison amounts to: aggregates over environments, and costs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from experiments.report import permutation_test, statistics
from experiments.report.data import Comparison
from experiments.report.statistics import Estimate
from experiments.report.words import BASELINE

FEW_ENVS = 4
"""With fewer environments an interquartile mean tells less than ranks and each one's scores."""
LEAST_SPAN = 0.01
"""Scores that all lie closer to random play than this are not stretched."""


@dataclasses.dataclass(frozen=True)
class Scale:
  """What is 0 and what is 1 among the normalised scores of an environment.

  Attributes:
    random: the score of random play; 0 where it is not known.
    best: that of optimal play, or the highest mean of any variant where that is not known.
    random_known, optimal_known: whether they are.
  """

  random: float
  best: float
  random_known: bool
  optimal_known: bool

  def normalised(self, scores: np.ndarray) -> np.ndarray:
    """Scores on this scale; above random play by less than LEAST_SPAN, it is not divided by."""
    span = self.best - self.random
    return (scores - self.random) / (span if span >= LEAST_SPAN else 1.0)


@dataclasses.dataclass(frozen=True)
class Results:
  """Aggregates of B variants, over E environments in which each of them has every seed.

  Attributes:
    variants, envs: aggregated, in order.
    scales: of the environments, by which their scores are normalised before they are pooled.
    means: mean scores, not normalised; [B, E].
    score, area: interquartile means of final score, and of the area under the curve, normalised;
      [B]. Area is None where some run lacks it.
    rank: mean rank; [B].
    improvement: probability of improvement of one over another; [B, B].
    p_values: of the differences between any two, not corrected; [B, B].
    vary, base: as of the comparison.
  """

  variants: list[str]
  envs: list[str]
  scales: dict[str, Scale]
  means: np.ndarray
  score: Estimate
  area: Estimate | None
  rank: Estimate
  improvement: Estimate
  p_values: np.ndarray
  vary: str = "bonus"
  base: str | None = BASELINE

  @property
  def few(self) -> bool:
    """Whether there are too few environments to go by an interquartile mean."""
    return len(self.envs) < FEW_ENVS

  def order(self) -> list[int]:
    """Variants from the best to the worst: by interquartile mean, or mean rank if `few`."""
    keys = (-self.score.value, self.rank.value) if self.few else (-self.score.value,)
    return [int(i) for i in np.lexsort(keys)]

  def baseline(self) -> int | None:
    """Where among the variants the baseline is."""
    return self.variants.index(self.base) if self.base in self.variants else None

  def differs(self) -> np.ndarray:
    """Whether a difference is told between any two, of all pairs; bool [B, B]."""
    return _told(self.p_values, np.tril_indices(len(self.variants), -1))

  def differs_from(self, base: int) -> np.ndarray:
    """Whether a difference from one variant is told, of all others; bool [B]."""
    return _told(self.p_values[:, base], np.delete(np.arange(len(self.variants)), base))


def _told(p: np.ndarray, compared: Any) -> np.ndarray:
  """Whether a difference is told, of those compared and corrected for their number."""
  told = np.zeros(p.shape, bool)
  told[compared] = permutation_test.holm(p[compared]) < permutation_test.LEVEL
  return told | told.T


def aggregate(comparison: Comparison) -> Results | None:
  """Aggregates a comparison; None where no variant that applies everywhere has a complete cell."""
  cells = {
    (variant, env)
    for variant in filter(comparison.applies_everywhere, comparison.variants)
    for env in comparison.envs
    if comparison.is_complete((variant, env))
  }
  if not cells:
    return None
  chosen, common = statistics.largest_rectangle(cells)
  variants = [variant for variant in comparison.variants if variant in chosen]
  envs = [env for env in comparison.envs if env in common]

  def table(name: str) -> np.ndarray:
    finals = comparison.finals
    return np.array(
      [
        [
          [finals[variant, env][seed].get(name, np.nan) for env in envs]
          for seed in comparison.seeds
        ]
        for variant in variants
      ],
      np.float64,
    )

  scores, areas = table("score"), table("auc")
  scales = {env: scale(comparison, env) for env in envs}

  def pooled(values: np.ndarray) -> Estimate:
    own = [scales[env].normalised(values[..., i]) for i, env in enumerate(envs)]
    return statistics.estimate(np.stack(own, axis=-1), statistics.interquartile_mean)

  return Results(
    variants=variants,
    envs=envs,
    scales=scales,
    means=scores.mean(axis=1),
    score=pooled(scores),
    area=pooled(areas) if np.isfinite(areas).all() else None,
    rank=statistics.estimate(scores, statistics.mean_rank),
    improvement=statistics.estimate(scores, statistics.probability_of_improvement),
    p_values=permutation_test.p_values(scores),
    vary=comparison.vary,
    base=comparison.baseline,
  )


def scale(comparison: Comparison, env: str) -> Scale:
  """The scale of an environment in which some variant has finished."""
  reference = (comparison.maps.get(env) or {}).get("reference") or {}
  random, optimal = reference.get("random"), reference.get("optimal")
  means = [
    float(np.mean([row["score"] for row in comparison.finals[variant, env].values()]))
    for variant in comparison.variants
    if comparison.is_complete((variant, env))
  ]
  return Scale(
    random=random if random is not None else 0.0,
    best=optimal if optimal is not None else max(means),
    random_known=random is not None,
    optimal_known=optimal is not None,
  )


@dataclasses.dataclass(frozen=True)
class Cost:
  """What one variant costs; a mean over environments that have it, NaN where none does.

  Attributes:
    seconds: of training, summed over environments.
    compile_seconds: summed too.
    steps_per_second: in the mean.
    memory_bytes: the most of any environment.
    time, memory: as ratios to the baseline in the same environment: geometric mean, least, most.
  """

  seconds: float
  compile_seconds: float
  steps_per_second: float
  memory_bytes: float
  time: tuple[float, float, float]
  memory: tuple[float, float, float]


def cost(comparison: Comparison, variant: str) -> Cost | None:
  """The cost of a variant; None while it has no run."""
  envs = [env for env in comparison.envs if (variant, env) in comparison.finals]
  if not envs:
    return None

  def values(name: str, of: str) -> np.ndarray:
    cells = [comparison.finals.get((of, env), {}).values() for env in envs]
    return np.array(
      [np.mean([row.get(name, np.nan) for row in cell]) if cell else np.nan for cell in cells]
    )

  def ratios(name: str) -> tuple[float, float, float]:
    own, base = values(name, variant), values(name, comparison.baseline or "")
    known = (own > 0) & (base > 0)
    if not known.any():
      return np.nan, np.nan, np.nan
    ratio = own[known] / base[known]
    return float(np.exp(np.log(ratio).mean())), float(ratio.min()), float(ratio.max())

  return Cost(
    seconds=float(values("seconds", variant).sum()),
    compile_seconds=float(values("compile_seconds", variant).sum()),
    steps_per_second=float(values("steps_per_second", variant).mean()),
    memory_bytes=float(values("memory_bytes", variant).max()),
    time=ratios("seconds"),
    memory=ratios("memory_bytes"),
  )
