"""The bonus contract: what an agent pays itself for exploring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from agents.agent import HasSpecs, Metrics
from agents.trajectory import Trajectory
from agents.world_model.forecasts import Outputs
from envs.registry import Choice, Registry


class Condition(NamedTuple):
  """What a bonus has the policy and the values read beside the belief.

  A trajectory carries it as `extras["condition"]`, float32 [T+1, B, S], where the last entry's is a
  place-holder.

  Attributes:
    size: S.
    draw: (memory, first bool [B], key) -> (condition float32 [B, S], memory). Called while acting,
      of the memory after `Bonus.remember`.
  """

  size: int
  draw: Callable[[Any, jax.Array, jax.Array], tuple[jax.Array, Any]]


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
    needs: auxiliary losses without which it has nothing to read, by name; they are added where they
      were not chosen. `("byol",)` for one that reads the forecasts.
    initial_memory: batch -> the episodic memory, arrays [B, ...], before anything was seen.
    remember: (params, statistics, memory, observation [B, ...], first bool [B]) -> memory after an
      observation. Called while acting; it starts anew where `first`. A trajectory carries the
      memory before its step 0, so that `reward` can go through it again.
    condition: what the policy is to read; None for a bonus of which it needs to know nothing.
  """

  init: Callable[[jax.Array], tuple[Any, Any]]
  reward: Callable[[Any, Any, Trajectory, Outputs, jax.Array], tuple[jax.Array, Any, Metrics]]
  loss: Callable[[Any, Any, Trajectory, Outputs, jax.Array], jax.Array]
  scaling: Literal["surprise", "return_std", "none"]
  needs: tuple[str, ...] = ()
  initial_memory: Callable[[int], Any] = lambda batch: ()
  remember: Callable[[Any, Any, Any, Any, jax.Array], Any] = (
    lambda params, statistics, memory, observation, first: memory
  )
  condition: Condition | None = None


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
