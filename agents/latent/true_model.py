"""The environment itself in the world model's place: a planner then plans with what really follows.

A functional environment goes on from any of its states. What it would show is encoded, and the
closed loop goes on by it, so that policy and value are read from the beliefs that they learn on.
Where an environment draws by chance, its state holds the key: what is planned with knows the draws
to come.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import dm_env
import jax

from agents import observation_normaliser
from agents.latent.forward import read_heads
from agents.latent.parts import Parts
from agents.latent.state import Variables
from agents.planners import Model


class State(NamedTuple):
  """Where a plan has come to, arrays [N, ...].

  Attributes:
    env: the environment's state, random keys as plain numbers, which mctx can keep.
    timestep: what it showed there.
    start: of the open loop, whose belief the heads read.
    core: the closed loop's state.
  """

  env: Any
  timestep: dm_env.TimeStep
  start: Any
  core: Any


def is_key(x: jax.Array) -> bool:
  return jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)


def plain(env_state: Any) -> Any:
  """An environment's state, its random keys as the numbers that they hold."""
  return jax.tree.map(lambda x: jax.random.key_data(x) if is_key(x) else x, env_state)


def build(parts: Parts, variables: Variables, like: Any) -> Model:
  """The environment as a model.

  Args:
    parts: of the agent.
    variables: with which its states are read.
    like: a state of the environment, which says where it holds random keys.
  """

  def with_keys(env_state: Any) -> Any:
    def restored(kept: jax.Array, x: jax.Array) -> jax.Array:
      return jax.random.wrap_key_data(x, impl=jax.random.key_impl(kept)) if is_key(kept) else x

    return jax.tree.map(restored, like, env_state)

  return Model(
    functools.partial(step, parts, variables, with_keys),
    functools.partial(read, parts, variables),
    lambda state: state.timestep.reward,
    lambda state: variables.discount * state.timestep.discount,
  )


def step(
  parts: Parts, variables: Variables, with_keys: Any, state: State, action: jax.Array
) -> State:
  """See `agents.planners.planner.Model.step`."""
  env: Any = parts.env
  params, model = variables.params.world_model, parts.model
  env_state, timestep = jax.vmap(env.step)(with_keys(state.env), action)
  observation = observation_normaliser.normalise(
    variables.observation_moments, timestep.observation
  )
  latent = model.encode(params, observation)
  start, core = model.step(params, latent, action, timestep.first(), state.core)
  return State(plain(env_state), timestep._replace(observation=observation), start, core)


def read(parts: Parts, variables: Variables, state: State) -> tuple[jax.Array, jax.Array]:
  """See `agents.planners.planner.Model.read`; of what the environment allows there."""
  params, objective = variables.params, parts.objective
  belief = parts.model.belief(state.start)
  out = read_heads(parts, params.heads, belief, state.timestep.observation)
  assert objective.expected_return is not None
  return objective.parameters(params.duals, out), objective.expected_return(params.duals, out)
