"""Learning from a replay of sequences: burn-in, priorities, importance weights.

Source: R2D2 (Kapturowski et al. 2019), section 2.3: stored recurrent states with burn-in, and the
priority of a sequence, eta max_t |delta_t| + (1 - eta) mean_t |delta_t|; importance weights by
prioritised experience replay (Schaul et al. 2015, arXiv 1511.05952), section 3.4.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from agents.trajectory import ReplaySpec, Trajectory


@dataclasses.dataclass(frozen=True)
class ReplayConfig:
  """A replay of trajectories."""

  replay_capacity: int = 0
  """Trajectories held, the oldest replaced first; 0 learns from each trajectory once, in order."""
  replay_min_size: int = 100
  """Trajectories before the first is drawn."""
  samples_per_insert: float = 4.0
  """How often a trajectory is drawn on average (Reverb's SampleToInsertRatio)."""
  replay_environments: int = 0
  """Environments side by side on_device; samples_per_insert * replay_environments / batch_size
  updates follow each of their unrolls. 0 takes batch_size / samples_per_insert: one update."""
  priority_exponent: float = 0.9
  """The chance of a trajectory is proportional to its priority to this power; 0 draws uniformly
  (R2D2: .9)."""
  priority_of_max: float = 0.9
  """eta, share of the largest error of a trajectory in its priority; the rest is that of the mean
  error (R2D2: .9)."""
  importance_exponent: float = 0.6
  """Power of the weights that correct for the priorities; 0 for none, 1 for all (R2D2: .6)."""
  burn_in: int = 0
  """First steps of a trajectory that only renew the stored recurrent state (R2D2: 40 of 120)."""

  def __post_init__(self) -> None:
    for name in ("replay_capacity", "replay_environments", "burn_in"):
      if getattr(self, name) < 0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0.")
    for name in ("priority_exponent", "priority_of_max", "importance_exponent"):
      if not 0.0 <= getattr(self, name) <= 1.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1].")

  def spec(self) -> ReplaySpec | None:
    """What the runtimes are told."""
    if not self.replay_capacity:
      return None
    return ReplaySpec(
      self.replay_capacity,
      self.replay_min_size,
      self.samples_per_insert,
      self.priority_exponent,
      self.replay_environments,
    )


def weights(config: ReplayConfig, trajectory: Trajectory) -> jax.Array:
  """What each step counts for in the loss, float32 [T, B].

  0 where there is no transition, and during burn-in; else (least chance in the batch / chance) to
  the importance exponent.
  """
  mask = trajectory.mask & (jnp.arange(trajectory.mask.shape[0]) >= config.burn_in)[:, None]
  counts = mask.astype(jnp.float32)
  if not config.replay_capacity:
    return counts
  chance = trajectory.probability
  return counts * (jnp.min(chance) / chance) ** config.importance_exponent


def priorities(config: ReplayConfig, errors: jax.Array, weights: jax.Array) -> jax.Array:
  """The new priorities, float32 [B], by the errors [T, B] where weights are above 0."""
  size = jnp.where(weights > 0.0, jnp.abs(errors), 0.0)
  count = jnp.maximum(jnp.sum(weights > 0.0, axis=0), 1)
  mean = jnp.sum(size, axis=0) / count
  return config.priority_of_max * jnp.max(size, axis=0) + (1.0 - config.priority_of_max) * mean
