"""Functional environments stepped from the host: one jitted, vmapped program."""

from __future__ import annotations

from typing import Any

import dm_env
import jax
import jax.numpy as jnp
import numpy as np

from envs.action_specs import ActionReader
from envs.auto_reset import AutoReset
from envs.capabilities import HasPlaces
from envs.environment import Environment
from envs.host.environment import VectorEnvironment, environment_seeds


class FunctionalVector(VectorEnvironment):
  """B episodes of a functional environment, advanced together by one call into XLA."""

  def __init__(self, env: Environment, num_envs: int, seed: int):
    self.num_envs = num_envs
    self._read_actions = ActionReader(env.action_spec())
    self._seeds = jnp.array(environment_seeds(seed, num_envs), jnp.uint32)
    auto = AutoReset(env)

    def with_oracle(state: Any, timestep: dm_env.TimeStep) -> tuple[Any, Any, Any]:
      return state, timestep, auto.oracle(state) if isinstance(auto, HasPlaces) else ()

    self._jitted_reset = jax.jit(
      jax.vmap(lambda seed: with_oracle(*auto.reset(jax.random.key(seed))))
    )
    self._jitted_step = jax.jit(jax.vmap(lambda state, a: with_oracle(*auto.step(state, a))))
    self._state: Any = None
    self._oracle: Any = ()

  def reset(self) -> dm_env.TimeStep:
    self._state, timestep, self._oracle = self._jitted_reset(self._seeds)
    return jax.tree.map(np.asarray, timestep)

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    action = self._read_actions(action, batch=(self.num_envs,))
    self._state, timestep, self._oracle = self._jitted_step(self._state, action)
    return jax.tree.map(np.asarray, timestep)

  def oracle(self) -> Any:
    return jax.tree.map(np.asarray, self._oracle)
