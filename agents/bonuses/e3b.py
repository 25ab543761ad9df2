"""E3B: pays for directions of a controllable embedding that the episode has not shown yet.

Formula: r_t = phi' C^-1 phi, phi = e(o_{t+1}), C = lambda I + the sum of e(o) e(o)' over the
episode's observations up to o_t; C^-1 follows by rank-one updates (Sherman & Morrison). The
embedding e learns to predict the action (agents/bonuses/inverse_dynamics.py).
Source: Henaff et al. 2022 (arXiv 2210.05805), section 3.1. The authors' code divides by a running
standard deviation (`--reward_norm int`), and so does the shared normaliser.
Good at: worlds that are another in each episode; a count in an ellipsoid, without a table.
Bad at: going where no episode has been: it forgets at every reset, and what it pays for a first
look it pays in each episode again.
Cost: the embedding's loss and forward pass, a second forward pass while acting, E^2 floats an
environment.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from agents.bonuses import inverse_dynamics
from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.bonuses.episodic import Episodic, advance, replay
from agents.trajectory import Trajectory


@dataclasses.dataclass(frozen=True)
class E3BConfig:
  """E3B. Sources name the paper, arXiv 2210.05805."""

  size: int = 32
  """E, size of the embedding (Craftax's baselines: 32; the authors' code: 512 and more)."""
  ridge: float = 0.1
  """lambda, what C is before anything was seen (the authors' code: .1)."""

  def __post_init__(self) -> None:
    if self.size < 1 or self.ridge <= 0.0:
      raise ValueError("size must be at least 1, and ridge above 0.")


def ellipse(size: int, ridge: float) -> Episodic:
  """The memory of an episode: C^-1, float32 [B, E, E]."""
  empty = jnp.eye(size, dtype=jnp.float32) / ridge

  def restart(inverse: jax.Array, first: jax.Array) -> jax.Array:
    return jnp.where(first[:, None, None], empty, inverse)

  def project(inverse: jax.Array, embedded: jax.Array) -> tuple[jax.Array, jax.Array]:
    projected = jnp.einsum("bij,bj->bi", inverse, embedded, precision=jax.lax.Precision.HIGHEST)
    return projected, jnp.sum(embedded * projected, axis=-1)

  def novelty(inverse: jax.Array, embedded: jax.Array) -> jax.Array:
    return project(inverse, embedded)[1]

  def insert(inverse: jax.Array, embedded: jax.Array) -> jax.Array:
    projected, bonus = project(inverse, embedded)
    outer = projected[:, :, None] * projected[:, None, :]
    return inverse - outer / (1.0 + bonus)[:, None, None]

  def initial(batch: int) -> jax.Array:
    return jnp.tile(empty, (batch, 1, 1))

  return Episodic(initial, restart, novelty, insert)


@registry.register(
  "e3b", E3BConfig, summary="elliptical bonus of the episode, in a controllable embedding"
)
def build(settings: E3BConfig, context: Context) -> Bonus:
  encoder = inverse_dynamics.build(context, settings.size)
  memories = ellipse(settings.size, settings.ridge)

  def init(key: jax.Array) -> tuple[Any, Any]:
    return encoder.init(key), ()

  def reward(params, statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array):
    del outputs, key
    embedded = encoder.embed(params, trajectory.observation)
    rewards, _ = replay(memories, trajectory.memory.bonus, embedded, trajectory.first)
    return rewards, statistics, {}

  def loss(params, statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array):
    del statistics, outputs, key
    return encoder.loss(params, trajectory)

  def remember(params, statistics, memory: Any, observation: Any, first: jax.Array) -> Any:
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
