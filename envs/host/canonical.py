"""The one form in which an environment on the host is seen.

observation  see `envs.host.observations`
action       integers from 0, one or an array of them; or float32, within bounds or without
episode      no longer than its limit: cut off there, LAST with discount 1
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dm_env
import numpy as np
from dm_env import specs

from envs import action_specs
from envs.action_specs import MOST_VALUES
from envs.errors import close_quietly
from envs.given import check_reward
from envs.host.observations import Observed
from envs.observation import Spec
from envs.success import reported_by


class Canonical(dm_env.Environment):
  """A dm_env environment in canonical form; its step after a LAST starts an episode.

  Attributes:
    notes: what a person should know of how it is observed, a line each.
  """

  def __init__(self, env: dm_env.Environment, max_episode_steps: int, **reading: Any):
    """Wraps `env`; `reading` are arguments of `Observed`.

    Raises:
      ValueError: for actions that are neither bounded integers nor floats, and observations that
        no agent can read.
    """
    self._env = env
    self._limit = max_episode_steps
    self._steps = 0
    self._ended = True
    self._action_spec = action_spec(env.action_spec())
    self._observed = Observed(env.observation_spec(), self._action_spec, **reading)
    self.notes = self._observed.notes
    self._to_raw = _to_raw(env.action_spec(), self._action_spec)

  def reset(self) -> dm_env.TimeStep:
    self._ended, self._steps = False, 0
    return self._canonical(self._env.reset(), 0)

  def step(self, action: Any) -> dm_env.TimeStep:
    """Advances by one step; the step after a LAST, or the very first, starts an episode."""
    if self._ended:
      return self.reset()
    self._steps += 1
    timestep = self._canonical(self._env.step(self._to_raw(action)), self._steps)
    self._ended = timestep.last()
    if self._steps >= self._limit and not self._ended:
      self._ended = True
      timestep = timestep._replace(step_type=dm_env.StepType.LAST, discount=1.0)
    return timestep

  def observation_spec(self) -> Spec:
    return self._observed.spec

  def action_spec(self) -> specs.Array:
    return self._action_spec

  def unknown_words(self) -> int:
    """Words of the last observation that have no number."""
    return self._observed.unknown_words

  def episode_success(self) -> int:
    """What the environment tells of its episode, see `envs.success`."""
    return reported_by(self._env)

  def render(self) -> np.ndarray:
    """Returns a picture, uint8 [H, W, 3], where the environment has one."""
    return self._env.render()

  def close(self) -> None:
    """Closes the environment; what that raises is a warning."""
    close_quietly(self._env)

  def _canonical(self, timestep: dm_env.TimeStep, step: int) -> dm_env.TimeStep:
    step_type, reward, discount, observation = timestep
    reward = None if step_type == dm_env.StepType.FIRST else check_reward(reward)
    observed = self._observed(observation, step_type == dm_env.StepType.LAST, step)
    return dm_env.TimeStep(step_type, reward, discount, observed)


def _to_raw(raw: specs.Array, canonical: specs.Array) -> Callable[[Any], Any]:
  """What brings canonical actions into the form that the environment itself takes.

  What depends on the specs alone is computed here, not at each step.
  """
  dtype = raw.dtype
  if action_specs.kind(canonical) != "continuous":
    read = action_specs.ActionReader(canonical)
    if read.kind == "discrete":
      start = int(raw.minimum)
      return lambda action: dtype.type(start + int(read(action)))
    first = np.int64(raw.minimum)
    return lambda action: (first + read(action)).astype(dtype)
  if dtype == np.float32 or not isinstance(raw, specs.BoundedArray):
    return lambda action: np.asarray(action, dtype)
  low, high = raw.minimum, raw.maximum

  def clip(action: Any) -> np.ndarray:
    # The bounds were rounded to float32: one may lie beyond what is declared.
    return np.asarray(np.minimum(np.maximum(np.asarray(action, dtype), low), high))

  return clip


def action_spec(spec: Any) -> specs.Array:
  """The canonical form of an action's spec.

  Raises:
    ValueError: one line, if it has no entry, or is neither bounded integers nor floats.
  """
  out = spec
  if isinstance(spec, specs.Array) and np.issubdtype(spec.dtype, np.floating):
    low, high = action_specs.bounds(spec)
    _check_room(low, high)
    out = specs.BoundedArray(spec.shape, np.float32, low, high, spec.name)
  elif isinstance(spec, specs.BoundedArray) and np.issubdtype(spec.dtype, np.integer):
    low, high = action_specs.bounds(spec)
    most = high.astype(float) - low  # int64 would overflow
    if not (most < MOST_VALUES).all():
      raise ValueError(
        f"actions {action_specs.one_line(spec)} are integers of {most.max() + 1:.0f} values;"
        f" expected at most {MOST_VALUES} (as floats they need no end)."
      )
    if spec.shape == ():
      out = specs.DiscreteArray(int(most) + 1, np.int32, spec.name)
    else:
      out = specs.BoundedArray(spec.shape, np.int32, 0, most.astype(np.int32), spec.name)
  try:
    action_specs.kind(out)
  except ValueError as error:
    raise ValueError(
      f"actions {action_specs.one_line(spec)} are not supported; expected one bounded integer, an"
      " array of them, or an array of floats, each maximum above its minimum."
    ) from error
  return out


def _check_room(low: np.ndarray, high: np.ndarray) -> None:
  """Refuses float bounds without room between, and names the first entry of them."""
  none = np.argwhere(~(low < high))
  if len(none):
    at = tuple(none[0])
    raise ValueError(
      f"action{''.join(f'[{i}]' for i in at)} goes from {low[at]:g} to {high[at]:g}; expected a"
      " maximum above the minimum. Leave it out where there is nothing to choose"
      " (gymnasium.wrappers.TransformAction)."
    )
