"""The bonus contract: what an agent pays itself for exploring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from agents.agent import HasSpecs, Metrics
from agents.trajectory import Trajectory
from envs.registry import Choice, Registry


class Forecasts(NamedTuple):
  """The world model's forecasts, from every step t = 0 .. T-1, k = 1 .. K steps ahead.

  Attributes:
    targets: [T+1, B, N], latents of the target encoder.
    imagined: [T, K, B, H], open-loop beliefs b_{t,k}.
    errors: [T, K, B], L(t, k) of agents/world_model/table.py.
    valid: bool [T, K, B], its real entries.
  """

  targets: jax.Array
  imagined: jax.Array
  errors: jax.Array
  valid: jax.Array


class Outputs(NamedTuple):
  """What the world model made of a trajectory, for bonuses and losses to read.

  Attributes:
    beliefs: [T+1, B, H].
    latents: [T+1, B, N], of the online encoder.
    forecasts: and their errors, or None if nobody asked for them.
  """

  beliefs: jax.Array
  latents: jax.Array
  forecasts: Forecasts | None


class Bonus(NamedTuple):
  """A bonus: rewards for exploring, its own networks' loss, and its statistics.

  Attributes:
    init: key -> (params, statistics). The agent's optimiser trains the parameters; the statistics
      are learner state that no gradient reaches: running moments, counts, fixed random networks.
    reward: (params, statistics, trajectory, outputs, key) -> (rewards float32 [T, B], statistics,
      metrics). The reward of entry t is for the transition t -> t+1; what it says where that is
      not real is ignored. Called once in a call of `learn`, before the first gradient step.
    loss: (params, statistics, trajectory, outputs, key) -> scalar loss of the bonus's own networks.
      Called in every gradient step; what it lets through reaches the world model as well.
    scaling: how the shared normaliser turns these rewards into what is paid; see
      agents/bonuses/normaliser.py.
    reads_table: whether it needs the table of prediction errors, and so the BYOL loss.
    initial_memory: batch -> the episodic memory, arrays [B, ...], before anything was seen.
    remember: (params, statistics, memory, observation [B, ...], first bool [B]) -> memory after an
      observation. Called while acting; it starts anew where `first`. A trajectory carries the
      memory before its step 0, so that `reward` can go through it again.
  """

  init: Callable[[jax.Array], tuple[Any, Any]]
  reward: Callable[[Any, Any, Trajectory, Outputs, jax.Array], tuple[jax.Array, Any, Metrics]]
  loss: Callable[[Any, Any, Trajectory, Outputs, jax.Array], jax.Array]
  scaling: Literal["surprise", "return_std", "none"]
  reads_table: bool = False
  initial_memory: Callable[[int], Any] = lambda batch: ()
  remember: Callable[[Any, Any, Any, Any, jax.Array], Any] = (
    lambda params, statistics, memory, observation, first: memory
  )


class Context(NamedTuple):
  """What a bonus is built for.

  Attributes:
    env: the environment's specs.
    torso: encoder of the bonus's own networks, a choice of agents.torsos.
    latent_size, belief_size: N and H of the world model.
    discount: gamma of the objective.
    horizon: K, how many steps ahead the world model forecasts.
  """

  env: HasSpecs
  torso: Choice
  latent_size: int
  belief_size: int
  discount: float
  horizon: int


def no_loss(params: Any, statistics: Any, trajectory: Any, outputs: Any, key: Any) -> jax.Array:
  """The loss of a bonus that has no networks of its own."""
  del params, statistics, trajectory, outputs, key
  return jnp.float32(0.0)


registry = Registry("bonus", "agents.bonuses")
"""Builders: (own settings, Context) -> Bonus."""
