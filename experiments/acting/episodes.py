"""What becomes of episodes: returns, lengths and successes, compiled and on the host."""

from __future__ import annotations

import math
import threading
from typing import Any, NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np

from envs.environment import FIRST, LAST
from envs.success import SUCCESS, UNKNOWN, outcomes
from experiments.runs.rows import SUMS

REFERENCE_DISCOUNT = 0.99
"""gamma of the discounted returns that are reported, whatever the agent's own."""


class Episodes(NamedTuple):
  """One entry an episode, each [E] (or [S, E] for S seeds); no `success` where nothing tells it."""

  success: Any
  episode_return: Any
  discounted_return: Any
  length: Any


class EpisodeStats(NamedTuple):
  """Return and length of the episodes under way, float32 and int32 [B]."""

  episode_return: jax.Array
  length: jax.Array


def init(batch: int) -> EpisodeStats:
  """Of episodes that are about to begin."""
  return EpisodeStats(jnp.zeros((batch,), jnp.float32), jnp.zeros((batch,), jnp.int32))


def update(stats: EpisodeStats, timestep: dm_env.TimeStep) -> EpisodeStats:
  """After one more time step [B]; a FIRST starts anew, its reward is 0."""
  first = timestep.step_type == FIRST
  return EpisodeStats(
    jnp.where(first, 0.0, stats.episode_return + timestep.reward),
    jnp.where(first, 0, stats.length + 1),
  )


def sums(stats: EpisodeStats, ended: jax.Array, success_return: float) -> dict[str, jax.Array]:
  """`rows.SUMS` over the episodes that `ended`, bool, where their `stats` are, all [T, B]."""
  successes = ended & (stats.episode_return >= success_return)
  return {
    "episodes": jnp.sum(ended).astype(jnp.float32),
    "return_sum": jnp.sum(jnp.where(ended, stats.episode_return, 0.0)),
    "length_sum": jnp.sum(jnp.where(ended, stats.length, 0)).astype(jnp.float32),
    "success_sum": jnp.sum(successes).astype(jnp.float32),
    "success_known": jnp.sum(ended & math.isfinite(success_return)).astype(jnp.float32),
  }


class HostStats:
  """Returns and lengths of the episodes under way in B environments on the host.

  Attributes:
    episode_return, discounted_return: float64 [B].
    length: int64 [B].
  """

  def __init__(self, batch: int):
    self.episode_return, self.discounted_return = np.zeros(batch), np.zeros(batch)
    self.length = np.zeros(batch, np.int64)

  def update(self, timestep: dm_env.TimeStep) -> np.ndarray:
    """Takes in one more time step [B]; returns which environments' episodes end there, int [N]."""
    first = timestep.step_type == FIRST
    discounted = self.discounted_return + REFERENCE_DISCOUNT**self.length * timestep.reward
    self.episode_return = np.where(first, 0.0, self.episode_return + timestep.reward)
    self.discounted_return = np.where(first, 0.0, discounted)
    self.length = np.where(first, 0, self.length + 1)
    return np.flatnonzero(timestep.step_type == LAST)


class EpisodeTotals:
  """`rows.SUMS` over the episodes that ended, of many actors, and, where there were such, words
  without a number that were shown, `unknown_words`; `take` empties them."""

  def __init__(self) -> None:
    self._lock = threading.Lock()
    self._sums = dict.fromkeys(SUMS, 0.0)

  def add(
    self, returns: np.ndarray, lengths: np.ndarray, success: np.ndarray, success_return: float
  ) -> None:
    """Adds the episodes that just ended.

    Args:
      returns, lengths: [E].
      success: what the environments told of them, int8 [E]; see `envs.success`.
      success_return: of the environment.
    """
    outcome = outcomes(success, returns, success_return)
    new = (
      len(returns),
      returns.sum(),
      lengths.sum(),
      (outcome == SUCCESS).sum(),
      (outcome != UNKNOWN).sum(),
    )
    self.merge({name: float(value) for name, value in zip(SUMS, new, strict=True)})

  def merge(self, sums: dict[str, float]) -> None:
    """Adds what another's `take` returned."""
    with self._lock:
      for name, value in sums.items():
        self._sums[name] = self._sums.get(name, 0.0) + value

  def take(self) -> dict[str, float]:
    """The sums since the last call."""
    with self._lock:
      sums, self._sums = self._sums, dict.fromkeys(self._sums, 0.0)
    return sums
