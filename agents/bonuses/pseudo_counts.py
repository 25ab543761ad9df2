"""Pseudo-counts: pays for what is unlike all that the episode has shown, by a kernel's count.

Formula: with N_k the k nearest embeddings among those the episode held up to o_t, and d_m^2 the
running mean of squared distances to them,
  K_i = eps / (max(d_i^2 / d_m^2 - xi, 0) + eps),  s = sqrt(sum_{i in N_k} K_i) + c,
  r_t = 1 / s, or 0 where s > s_max.
The embedding learns to predict the action (agents/bonuses/inverse_dynamics.py).
Source: the episodic half of Badia et al. 2020, Never Give Up (arXiv 2002.06038), equation 2,
algorithm 1 and appendix. The memory is a ring of `capacity` embeddings, which an episode that is
longer writes over from its oldest on. d_m^2 forgets by .99 a batch, as the embedding moves. What is
paid, 1 for the familiar to 1000 for an episode's first step, the shared normaliser divides by the
running deviation; NGU, which multiplies it by the novelty for all the run, does not.
Good at: worlds that are another in each episode; floats and pixels, which no hash counts well.
Bad at: going where no episode has been, as it forgets at every reset; noise that tells actions.
Cost: the inverse dynamics' networks; a second forward pass while acting; distances T B to a ring of
capacity x E floats an environment, which every trajectory carries.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from agents.bonuses import inverse_dynamics, normaliser
from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.bonuses.episodic import advance, replay
from agents.bonuses.normaliser import NormaliserState
from agents.bonuses.ring import Ring, ring
from agents.trajectory import Trajectory

KERNEL_EPSILON = 1e-4
"""eps of the kernel (appendix)."""
CLUSTER_DISTANCE = 0.008
"""xi: nearer than this, relative to d_m^2, is the same (appendix)."""
PSEUDO_COUNT = 1e-3
"""c, in place of a count of nothing (appendix)."""
MAX_SIMILARITY = 8.0
"""s_max: what is more familiar than this pays nothing (appendix)."""
DECAY = 0.99
"""Of the running d_m^2, a batch a step (ours; the paper says running)."""


@dataclasses.dataclass(frozen=True)
class PseudoCountsConfig:
  """Episodic pseudo-counts. Sources name Never Give Up, arXiv 2002.06038."""

  size: int = 32
  """Size of the controllable embedding (appendix: 32)."""
  neighbours: int = 10
  """k, neighbours that are looked at (appendix: 10)."""
  capacity: int = 512
  """Embeddings that an episode's memory holds (appendix: 30000)."""

  def __post_init__(self) -> None:
    if self.size < 1 or not 1 <= self.neighbours <= self.capacity:
      raise ValueError(
        f"size must be at least 1, and neighbours lie in 1 to {self.capacity}, the capacity."
      )


def episodic_reward(distances: jax.Array, mean_distance: jax.Array) -> jax.Array:
  """r [...] of squared distances [..., k], by their running mean, a scalar."""
  relative = distances / jnp.maximum(mean_distance, 1e-12)
  kernel = KERNEL_EPSILON / (jnp.maximum(relative - CLUSTER_DISTANCE, 0.0) + KERNEL_EPSILON)
  similarity = jnp.sqrt(jnp.sum(kernel, axis=-1)) + PSEUDO_COUNT
  return jnp.where(similarity > MAX_SIMILARITY, 0.0, 1.0 / similarity)


@registry.register(
  "pseudo_counts", PseudoCountsConfig, summary="a kernel's count of what the episode has shown"
)
def build(settings: PseudoCountsConfig, context: Context) -> Bonus:
  encoder = inverse_dynamics.build(context, settings.size)
  memories = ring(settings.size, settings.capacity, settings.neighbours)

  def init(key: jax.Array) -> tuple[Any, NormaliserState]:
    return encoder.init(key), normaliser.init()

  def reward(
    params: Any,
    statistics: NormaliserState,
    trajectory: Trajectory,
    outputs: Outputs,
    key: jax.Array,
  ):
    del outputs, key
    embedded = encoder.embed(params, trajectory.observation)
    distances, _ = replay(memories, trajectory.memory.bonus, embedded, trajectory.first)
    known = trajectory.mask[..., None] & jnp.isfinite(distances)
    statistics = normaliser.update(statistics, distances, known, DECAY)
    return episodic_reward(distances, statistics.mean), statistics, {}

  def loss(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> jax.Array:
    del statistics, outputs, key
    return encoder.loss(params, trajectory)

  def remember(
    params: Any, statistics: Any, memory: Ring, observation: Any, first: jax.Array
  ) -> Ring:
    del statistics
    return advance(memories, memory, encoder.embed(params, observation), first)

  return Bonus(
    init,
    reward,
    loss,
    scaling="return_std",
    initial_memory=memories.initial,
    remember=remember,
  )
