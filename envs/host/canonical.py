"""The one form in which an environment on the host is seen: one array in, one array out.

observation  see `envs.host.observations`
action       integers from 0, or float32 within finite bounds
episode      no longer than its limit: cut off there, LAST with discount 1
"""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np
from dm_env import specs

from envs.environment import check_action, check_reward
from envs.host.observations import Observed


class Canonical(dm_env.Environment):
  """A dm_env environment in canonical form; its step after a LAST starts an episode.

  Attributes:
    notes: what a person should know of how it is observed, a line each.
  """

  def __init__(self, env: dm_env.Environment, max_episode_steps: int):
    """Wraps `env`.

    Raises:
      ValueError: for actions that are neither integers nor finitely bounded numbers, and
        observations that no agent can read.
    """
    self._env = env
    self._limit = max_episode_steps
    self._steps = 0
    self._ended = True
    self._observed = Observed(env.observation_spec())
    self.notes = self._observed.notes
    self._raw_action = env.action_spec()
    self._action_spec = action_spec(self._raw_action)

  def reset(self) -> dm_env.TimeStep:
    self._ended, self._steps = False, 0
    return self._canonical(self._env.reset())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Advances by one step; the step after a LAST, or the very first, starts an episode."""
    if self._ended:
      return self.reset()
    timestep = self._canonical(self._env.step(self._action(action)))
    self._steps += 1
    if self._steps >= self._limit and not timestep.last():
      timestep = timestep._replace(step_type=dm_env.StepType.LAST, discount=1.0)
    self._ended = timestep.last()
    return timestep

  def observation_spec(self) -> specs.Array:
    return self._observed.spec

  def action_spec(self) -> specs.Array:
    return self._action_spec

  def render(self) -> np.ndarray:
    """Returns a picture, uint8 [H, W, 3], where the environment has one."""
    return self._env.render()

  def close(self) -> None:
    self._env.close()

  def _action(self, action: Any) -> Any:
    if isinstance(self._action_spec, specs.DiscreteArray):
      checked = check_action(self._action_spec, action)
      return self._raw_action.dtype.type(checked + self._raw_action.minimum)
    return np.asarray(action, self._raw_action.dtype)

  def _canonical(self, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    reward = None if timestep.first() else check_reward(timestep.reward)
    return timestep._replace(observation=self._observed(timestep.observation), reward=reward)


def action_spec(spec: Any) -> specs.Array:
  """The canonical form of an action's spec.

  Raises:
    ValueError: if it is neither an integer nor an array of finitely bounded numbers.
  """
  if isinstance(spec, specs.BoundedArray):
    integer = np.issubdtype(spec.dtype, np.integer)
    if integer and spec.shape == ():
      return specs.DiscreteArray(int(spec.maximum - spec.minimum) + 1, np.int32, spec.name)
    if not integer and np.isfinite(spec.minimum).all() and np.isfinite(spec.maximum).all():
      return specs.BoundedArray(spec.shape, np.float32, spec.minimum, spec.maximum, spec.name)
  raise ValueError(f"actions {spec} are not supported; expected integers or bounded numbers.")
