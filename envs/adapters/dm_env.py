"""From the functional contract to a stateful dm_env.Environment on the host."""

from __future__ import annotations

from typing import Any

import dm_env
import jax
import numpy as np
from dm_env import specs

from envs.action_specs import ActionReader
from envs.environment import LAST, Environment
from envs.observation import Spec


def to_dm_env(env: Environment, seed: int = 0) -> dm_env.Environment:
  """Returns `env` as a dm_env.Environment: jitted, in NumPy arrays and Python floats.

  Args:
    env: any environment of the contract.
    seed: fixes the whole sequence of episodes.
  """
  return _DmEnv(env, seed)


class _DmEnv(dm_env.Environment):
  def __init__(self, env: Environment, seed: int):
    self._env = env
    self._read_action = ActionReader(env.action_spec())
    self._key = jax.random.key(seed)
    self._jitted_reset = jax.jit(env.reset)
    self._jitted_step = jax.jit(env.step)
    self._state: Any = None
    self._ended = True

  def reset(self) -> dm_env.TimeStep:
    self._key, key = jax.random.split(self._key)
    self._state, timestep = self._jitted_reset(key)
    self._ended = False
    return dm_env.restart(jax.tree.map(np.array, timestep.observation))

  def step(self, action: Any) -> dm_env.TimeStep:
    """Advances by one step; the step after a LAST, or the very first, starts an episode.

    Raises:
      ValueError: for an action of another shape or dtype, or out of range.
    """
    if self._ended:
      return self.reset()
    self._state, timestep = self._jitted_step(self._state, self._read_action(action))
    self._ended = int(timestep.step_type) == LAST
    return dm_env.TimeStep(
      dm_env.StepType(int(timestep.step_type)),
      float(timestep.reward),
      float(timestep.discount),
      jax.tree.map(np.array, timestep.observation),
    )

  def observation_spec(self) -> Spec:
    return self._env.observation_spec()

  def action_spec(self) -> specs.Array:
    return self._env.action_spec()
