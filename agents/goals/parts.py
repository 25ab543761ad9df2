"""The parts that an agent with goals of its own is put together from, and what reads views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from dm_env import specs

from agents import observation_normaliser
from agents.agent import Given, HasSpecs
from agents.goals.config import GoalAgentConfig, GoalsConfig
from agents.goals.state import Encoder, LearnerState
from agents.latent import parts as latent_parts
from agents.reachability import network
from agents.reachability.network import Reachability
from envs.capabilities import HasGoals
from envs.observation import GOAL, VIEW


class Parts(NamedTuple):
  """What the functions of agents/goals are functions of; nothing here is learned.

  Attributes:
    config: the agent's settings.
    inner: parts of the agent inside, whose encoder reads views too.
    network: tells what is within reach of what.
    optimiser: optax, over the network's parameters.
    view: spec of a view [*O], two of which make an observation.
    reached: (view [..., *O], goal [..., *O]) -> bool [...], the environment's.
    walks_kept: trajectories whose random walks are kept.
  """

  config: GoalAgentConfig
  inner: latent_parts.Parts
  network: Reachability
  optimiser: optax.GradientTransformation
  view: specs.Array
  reached: Callable[[jax.Array, jax.Array], jax.Array]
  walks_kept: int

  @property
  def goals(self) -> GoalsConfig:
    """Settings of the goals."""
    return self.config.goals

  @property
  def actions(self) -> specs.Array:
    """Spec of the actions."""
    return self.inner.env.action_spec()


def build(config: GoalAgentConfig, env: HasSpecs, given: Given) -> Parts:
  """The parts for an environment with goals.

  Raises:
    ValueError: if it has no goals, or the torso does not keep a view and a goal apart.
  """
  goals = config.goals
  if not isinstance(env, HasGoals):
    name = getattr(env, "name", type(env).__name__)
    raise ValueError(f"environment {name!r} has no goals; take one such as goals/u_maze.")
  if config.world_model.torso.name != "siamese":
    raise ValueError(f"torso is {config.world_model.torso.name!r}; goals need --torso siamese.")
  kept = goals.walks_kept if goals.discovers else config.batch_size
  if kept < config.batch_size:
    raise ValueError(f"walks_kept is {goals.walks_kept}; it must be at least the batch size.")
  return Parts(
    config,
    latent_parts.build(config, env, given),
    network.build(config.reachability, config.world_model.latent_size // 2),
    network.optimiser(config.reachability),
    env.view_spec(),
    jax.vmap(jax.vmap(env.reached)),
    kept,
  )


def encoder(state: LearnerState) -> Encoder:
  """What views are read with."""
  return Encoder(state.inner.target_encoder, state.inner.observation_moments)


def latents(parts: Parts, encoder: Encoder, views: jax.Array) -> jax.Array:
  """Of views [..., *O], two of which make one observation; float32 [..., N / 2]."""
  shape, half = parts.view.shape, parts.config.world_model.latent_size // 2
  lead = views.shape[: views.ndim - len(shape)]
  flat = views.reshape(-1, *shape)
  two = jnp.concatenate([flat, flat[: len(flat) % 2]]).reshape(-1, 2, *shape)
  couples = observation_normaliser.normalise(encoder.moments, {VIEW: two[:, 0], GOAL: two[:, 1]})
  encoded = parts.inner.model.encode(encoder.params, couples).reshape(-1, half)[: len(flat)]
  return jax.lax.stop_gradient(encoded.reshape(*lead, half))


def features(parts: Parts, encoder: Encoder, reach: Any, views: jax.Array) -> jax.Array:
  """The reachability network's, of views [..., *O]; float32 [..., F]."""
  return parts.network.features(reach, latents(parts, encoder, views))


def with_goal(views: jax.Array, goal: jax.Array) -> dict[str, jax.Array]:
  """Observations of views [..., *O] on the way to a goal that broadcasts to them."""
  return {VIEW: views, GOAL: jnp.broadcast_to(goal, views.shape)}
