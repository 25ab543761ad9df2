"""Who acts: an agent, or chance."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Protocol

import jax
from dm_env import TimeStep, specs

from agents.agent import Agent
from envs.observation import legal
from envs.random_action import random_action


class ActingPolicy(Protocol):
  """Who acts; pure functions, so that they can be compiled."""

  def initial_memory(self, batch: int) -> Any:
    """What B environments carry while acting, arrays [B, ...]."""
    ...

  def act(
    self, variables: Any, memory: Any, timestep: TimeStep, key: jax.Array
  ) -> tuple[jax.Array, Any, Any]:
    """(variables, memory, timestep [B], key) -> (action [B, *A], extras [B, ...], memory)."""
    ...

  def stored(self, memory: Any) -> Any:
    """What of it a trajectory keeps."""
    ...

  def with_state(self, memory: Any, state: Any) -> Any:
    """See `agents.agent.Agent.with_state`."""
    ...

  def __hash__(self) -> int:
    """Compiled programs are kept by it."""
    ...


@dataclasses.dataclass(frozen=True)
class AgentPolicy:
  """An agent's: samples if `explore`, else the mode. The same agent makes the same policy."""

  agent: Agent
  explore: bool = True

  def initial_memory(self, batch: int) -> Any:
    return self.agent.initial_memory(batch)

  def act(
    self, variables: Any, memory: Any, timestep: TimeStep, key: jax.Array
  ) -> tuple[jax.Array, Any, Any]:
    return self.agent.act(variables, memory, timestep, key, self.explore)

  def stored(self, memory: Any) -> Any:
    return self.agent.stored(memory)

  def with_state(self, memory: Any, state: Any) -> Any:
    with_state = self.agent.with_state
    return memory if with_state is None else with_state(memory, state)


@dataclasses.dataclass(frozen=True, eq=False)
class RandomPolicy:
  """Draws evenly from all actions of a spec that are allowed, see `envs.random_action`; it has no
  variables."""

  spec: specs.Array

  def initial_memory(self, batch: int) -> Any:
    return ()

  def act(
    self, variables: Any, memory: Any, timestep: TimeStep, key: jax.Array
  ) -> tuple[jax.Array, Any, Any]:
    mask = legal(timestep.observation)
    return random_action(self.spec, key, timestep.step_type.shape, mask), (), memory

  def stored(self, memory: Any) -> Any:
    return memory

  def with_state(self, memory: Any, state: Any) -> Any:
    return memory


@functools.cache
def jitted_act(policy: ActingPolicy) -> Callable[..., Any]:
  """(variables, memory, timestep, key) -> (action, extras, memory, key), one program for all."""

  def act(variables: Any, memory: Any, timestep: Any, key: jax.Array) -> tuple[Any, ...]:
    key, act_key = jax.random.split(key)
    return *policy.act(variables, memory, timestep, act_key), key

  return jax.jit(act, donate_argnums=(1, 3))
