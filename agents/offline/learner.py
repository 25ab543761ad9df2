"""The stage that learns the policy: transitions towards goals, by the agent's own update."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import dm_env
import jax
import jax.numpy as jnp

from agents.agent import NOTHING_GIVEN, Agent, Given, HasSpecs, Metrics
from agents.latent import acting, probe, state, update
from agents.latent import agent as latent_agent
from agents.latent import parts as latent_parts
from agents.latent.parts import Parts
from agents.latent.state import LearnerState
from agents.offline.config import OfflineAgentConfig
from agents.trajectory import Trajectory
from envs.environment import MID
from envs.observation import lead


class Transitions(NamedTuple):
  """Transitions towards goals; leading axes as they come.

  Attributes:
    observation: what is observed and what is the goal, before and after, [..., 2, *O] each.
    action: [..., *A].
    reward: float32 [...].
    discount: float32 [...], 0 where it ends.
  """

  observation: Any
  action: Any
  reward: Any
  discount: Any


class GoalLearner(NamedTuple):
  """Offline learning, jitted.

  Attributes:
    agent: soft actor-critic.
    init: key -> state.
    learn: (state, Transitions [U, B], key) -> (state, means of the metrics over the U updates); the
      state's buffers are donated.
    value: (state, observation [B, *O], action [B, *A]) -> what the first critic says, [B].
    act: (state, observation [B, *O], key) -> actions that the policy draws, [B, *A].
  """

  agent: Agent
  init: Callable[[jax.Array], Any]
  learn: Callable[[Any, Transitions, jax.Array], tuple[Any, Metrics]]
  value: Callable[[Any, Any, Any], jax.Array]
  act: Callable[[Any, Any, jax.Array], jax.Array]


def build(config: OfflineAgentConfig, env: HasSpecs, given: Given = NOTHING_GIVEN) -> GoalLearner:
  """Puts it together for an environment with goals.

  Raises:
    ValueError: if the observations or actions are of a kind that it cannot take, or the bonus one
      that the policy has to read.
  """
  parts = latent_parts.build(config, env, given._replace(updates=config.buffer.updates))
  if parts.bonus.condition is not None:
    raise ValueError(
      f"bonus {config.bonus.name!r} is for agents that act: datasets do not tell what it had the"
      " policy read. Take --bonus none."
    )
  agent = latent_agent.of_parts(parts)
  return GoalLearner(
    agent,
    jax.jit(agent.init),
    jax.jit(functools.partial(learn, parts), donate_argnums=0),
    jax.jit(functools.partial(value, parts)),
    jax.jit(functools.partial(act, parts)),
  )


def without_ends(parts: Parts, observation: Any) -> Trajectory:
  """A trajectory of nothing but observations [T+1, B, *O]."""
  length, batch = lead(parts.env.observation_spec(), observation)
  ones = jnp.ones((length, batch), jnp.float32)
  none = parts.policy.no_action(batch)
  return Trajectory(
    observation=observation,
    action=jnp.broadcast_to(none, (length, *none.shape)),
    reward=jnp.zeros_like(ones),
    discount=ones,
    step_type=jnp.full(ones.shape, MID, jnp.int32),
    extras=(),
    memory=acting.initial_memory(parts, batch),
  )


def learn(
  parts: Parts, learner: LearnerState, batches: Transitions, key: jax.Array
) -> tuple[LearnerState, Metrics]:
  """See `GoalLearner.learn`."""

  def body(
    learner: LearnerState, inputs: tuple[Transitions, jax.Array]
  ) -> tuple[LearnerState, Metrics]:
    batch, key = inputs
    steps = without_ends(parts, jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), batch.observation))
    steps = steps._replace(
      action=steps.action.at[0].set(batch.action),
      reward=steps.reward.at[1].set(batch.reward),
      discount=steps.discount.at[1].set(batch.discount),
    )
    learned = update.learn(parts, learner, steps, key)
    return learned.state, learned.metrics

  keys = jax.random.split(key, len(batches.reward))
  learner, history = jax.lax.scan(body, learner, (batches, keys))
  return learner, jax.tree.map(jnp.mean, history)


def value(parts: Parts, learner: LearnerState, observation: Any, action: jax.Array) -> jax.Array:
  """See `GoalLearner.value`."""
  steps = without_ends(parts, jax.tree.map(lambda x: x[None], observation))
  steps = steps._replace(action=action[None])
  return probe.value(parts, learner, steps)[0]


def act(parts: Parts, learner: LearnerState, observation: Any, key: jax.Array) -> jax.Array:
  """See `GoalLearner.act`."""
  (batch,) = lead(parts.env.observation_spec(), observation)
  none = jnp.zeros((batch,), jnp.float32)
  timestep = dm_env.TimeStep(jnp.full((batch,), MID, jnp.int32), none, none, observation)
  memory = acting.initial_memory(parts, batch)
  return acting.act(parts, state.variables(learner), memory, timestep, key, True)[0]
