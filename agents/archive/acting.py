"""Acting: at random where an environment explores, else by the policy of the agent inside."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from agents.archive.parts import Parts
from agents.archive.state import LearnerState, Memory, Variables
from agents.latent import acting
from agents.latent import state as latent_state
from agents.when import rows_where
from envs import action_specs
from envs.observation import legal
from envs.random_action import random_action


def variables(parts: Parts, state: LearnerState) -> Variables:
  """What acting needs."""
  return Variables(
    latent_state.variables(state.inner),
    jnp.bool_(parts.settings.explore_by == "random"),
    nothing_to_practise(state),
  )


def nothing_to_practise(state: LearnerState) -> jax.Array:
  """Whether there is no demonstration yet, bool: all environments then explore."""
  return ~jnp.any(state.demonstrations.filled)


def on_task(variables: Variables) -> Variables:
  """The same, where nothing explores at random."""
  return variables._replace(explores=jnp.zeros_like(variables.explores))


def initial_memory(parts: Parts, batch: int) -> Memory:
  """What each of `batch` environments carries before its first step."""
  explores = jnp.arange(batch) < parts.config.explorers(batch)
  return Memory(acting.initial_memory(parts.inner, batch), explores)


def stored(memory: Memory) -> Memory:
  """See `agents.agent.Agent.stored`."""
  return memory._replace(inner=acting.stored(memory.inner))


def act(
  parts: Parts, variables: Variables, memory: Memory, timestep: Any, key: jax.Array, explore: bool
) -> tuple[jax.Array, Any, Memory]:
  """See `agents.agent.Agent.act`."""
  act_key, repeat_key, random_key = jax.random.split(key, 3)
  last = memory.inner.action
  action, extras, inner = acting.act(
    parts.inner, variables.inner, memory.inner, timestep, act_key, explore
  )
  if explore and parts.settings.explore_by == "random":
    spec, batch = parts.env.action_spec(), memory.explores.shape
    mask = legal(timestep.observation)
    drawn = random_action(spec, random_key, batch, mask)
    again = jax.random.uniform(repeat_key, batch) < parts.settings.explore_repeat
    again &= ~timestep.first()
    if mask is not None and action_specs.kind(spec) == "discrete":
      again &= jnp.take_along_axis(mask, last[:, None], axis=1)[:, 0]
    elif mask is not None:
      again &= False
    explores = memory.explores | variables.everywhere
    at_random = rows_where(again, last, drawn).astype(action.dtype)
    action = rows_where(explores & variables.explores, at_random, action)
  return action, extras, memory._replace(inner=inner._replace(action=action))
