"""The one form in which an environment on the host is seen: one array in, one array out.

observation  a dict or a nest becomes one float32 vector, in the order of the spec; uint8 stays
             (pixels); floats become float32; integers of at most 256 values, int32 from 0 up
             (categories); other integers, float32
action       integers from 0, or float32 within finite bounds
episode      no longer than its limit: cut off there, LAST with discount 1
"""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np
import tree
from dm_env import specs

from envs.environment import check_action
from envs.success import told_by

CATEGORIES = 256
"""Integer arrays with more values than this are numbers, not categories."""


class Canonical(dm_env.Environment):
  """A dm_env environment in canonical form; its step after a LAST starts an episode."""

  def __init__(self, env: dm_env.Environment, max_episode_steps: int):
    """Wraps `env`.

    Raises:
      ValueError: for actions that are neither integers nor finitely bounded numbers.
    """
    self._env = env
    self._limit = max_episode_steps
    self._steps = 0
    self._ended = True
    self._raw_observation = env.observation_spec()
    self._raw_action = env.action_spec()
    self._observation_spec = observation_spec(self._raw_observation)
    self._action_spec = action_spec(self._raw_action)
    self._first = (
      np.min(self._raw_observation.minimum)
      if np.issubdtype(self._observation_spec.dtype, np.int32)
      else None
    )

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
    return self._observation_spec

  def action_spec(self) -> specs.Array:
    return self._action_spec

  def episode_success(self) -> int:
    """What the environment tells of its episode, see `envs.success`."""
    return told_by(self._env)

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
    observation = timestep.observation
    if not isinstance(self._raw_observation, specs.Array):
      observation = flatten(observation)
    elif self._first:
      observation = np.asarray(observation) - self._first
    observation = np.asarray(observation, self._observation_spec.dtype)
    return timestep._replace(observation=observation)


def flatten(nest: Any) -> np.ndarray:
  """A nest of arrays as one float32 vector [N], in the order of its keys."""
  leaves = _leaves(nest)
  return np.concatenate([np.asarray(leaf, np.float32).reshape(-1) for leaf in leaves])


def _leaves(nest: Any) -> list[Any]:
  # tree.flatten would sort the keys of a plain dict.
  if isinstance(nest, dict):
    return [leaf for value in nest.values() for leaf in _leaves(value)]
  return tree.flatten(nest)


def observation_spec(spec: Any) -> specs.Array:
  """The canonical form of an observation's spec, or of a nest of specs."""
  if not isinstance(spec, specs.Array):
    size = sum(int(np.prod(leaf.shape)) for leaf in _leaves(spec))
    return specs.Array((size,), np.float32, "observation")
  if spec.dtype == np.uint8:
    return spec
  if isinstance(spec, specs.DiscreteArray):
    return specs.DiscreteArray(spec.num_values, np.int32, spec.name)
  if spec.dtype == np.bool_:
    return specs.BoundedArray(spec.shape, np.int32, 0, 1, spec.name)
  if not isinstance(spec, specs.BoundedArray):
    return specs.Array(spec.shape, np.float32, spec.name)
  low, high = np.min(spec.minimum), np.max(spec.maximum)
  if np.issubdtype(spec.dtype, np.integer) and high - low < CATEGORIES:
    return specs.BoundedArray(spec.shape, np.int32, 0, int(high - low), spec.name)
  return specs.BoundedArray(spec.shape, np.float32, spec.minimum, spec.maximum, spec.name)


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
