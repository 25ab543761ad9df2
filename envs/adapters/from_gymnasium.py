"""From gymnasium: its environments as dm_env.

Termination is LAST with discount 0 and truncation LAST with discount 1.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import dm_env
import gymnasium
import numpy as np
from dm_env import specs

from envs import action_specs
from envs.action_specs import ActionReader
from envs.adapters.answers import as_expected, flag, space_of
from envs.adapters.spaces import MASK_REFUSED, MASKS, Masks, ObservationReader, ignored
from envs.given import check_reward
from envs.success import InfoSuccess

STEP_PARTS = ("observation", "reward", "terminated", "truncated", "info")
"""What gymnasium's step() returns."""


def from_gymnasium(
  env: gymnasium.Env, seed: int | None = None, masks: Masks = None
) -> dm_env.Environment:
  """Returns a gymnasium environment as a dm_env.Environment, for the runtimes on the host.

  Args:
    env: observations as `envs.adapters.spaces` says; actions a Discrete, Box, MultiDiscrete or
      MultiBinary space.
    seed: seeds the first reset, and so the whole sequence of episodes.
    masks: "ignored" takes an environment whose infos hold masks of actions, or that has the
      `action_masks()` of sb3-contrib, without them.

  Raises:
    ValueError: for any other kind of space, an environment of the old gym interface, and masks that
      are not ignored, in the info of a later step too.
  """
  return _FromGymnasium(env, seed, masks)


class _FromGymnasium(dm_env.Environment):
  def __init__(self, env: gymnasium.Env, seed: int | None, masks: Masks):
    self._env = env
    self._seed = seed
    self._success = InfoSuccess()
    self._read = ObservationReader(space_of(env, "observation_space"))
    actions = space_of(env, "action_space")
    self._action_spec, self._first_action = action_space_spec(actions)
    box = isinstance(actions, gymnasium.spaces.Box)
    self._read_action = None if box else ActionReader(self._action_spec)
    self._action_dtype = actions.dtype
    self._name = type(env.unwrapped).__name__
    if not _takes_seed(env.unwrapped.reset):
      raise ValueError(
        f"{self._name}.reset() takes no seed, as in the old gym interface; expected"
        " reset(*, seed=None, options=None) that returns (observation, info)."
      )
    self._masks_ignored = ignored(masks)
    if env.has_wrapper_attr("action_masks") and not self._masks_ignored:
      raise ValueError(f"{self._name} has action_masks(): {MASK_REFUSED}")
    self._ended = True

  def reset(self) -> dm_env.TimeStep:
    found = self._env.reset(seed=self._seed)
    observation, info = as_expected(self._name, "reset", found, "observation", "info")
    self._refuse_mask("reset", info)
    self._seed = None  # a seed given twice would repeat the same episode
    self._success.begin()
    self._ended = False
    return dm_env.restart(self._read(observation))

  def step(self, action: Any) -> dm_env.TimeStep:
    """Advances by one step; the step after a LAST, or the very first, starts an episode."""
    if self._ended:
      return self.reset()
    if self._read_action is not None:
      action = self._read_action(action)
      if action.shape == ():  # most environments are promised Python's own integers
        action = int(action) + self._first_action
      else:
        action = (action + self._first_action).astype(self._action_dtype)
    observation, reward, terminated, truncated, info = as_expected(
      self._name, "step", self._env.step(action), *STEP_PARTS
    )
    self._refuse_mask("step", info)
    reward = check_reward(reward)
    terminated, truncated = flag("terminated", terminated), flag("truncated", truncated)
    self._success.read(info)
    self._ended = terminated or truncated
    observation = self._read(observation)
    if terminated:
      return dm_env.termination(reward, observation)
    if truncated:
      return dm_env.truncation(reward, observation)
    return dm_env.transition(reward, observation)

  def observation_spec(self) -> Any:
    return self._read.spec

  def action_spec(self) -> specs.Array:
    return self._action_spec

  def episode_success(self) -> int:
    """What `info` told of the episode so far: 1 success, 0 none, -1 nothing; see `envs.success`."""
    return self._success.outcome()

  def render(self) -> Any:
    """What the environment's own render() returns, in the mode it was made with."""
    return self._env.render()

  def close(self) -> None:
    self._env.close()

  def _refuse_mask(self, method: str, info: Mapping[str, Any]) -> None:
    found = next((name for name in MASKS if name in info), None)
    if found is not None and not self._masks_ignored:
      raise ValueError(f"{self._name}.{method}() gives {found!r} in its info: {MASK_REFUSED}")


def _takes_seed(reset: Callable[..., Any]) -> bool:
  parameters = inspect.signature(reset).parameters
  return "seed" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def action_space_spec(space: gymnasium.Space) -> tuple[specs.Array, Any]:
  """The spec of a space of actions, and what its counting starts at: int64 [*A] or 0.

  Raises:
    ValueError: one line, for a kind of space that is no array of numbers.
  """
  if isinstance(space, gymnasium.spaces.MultiDiscrete):
    last = np.asarray(space.nvec, np.int64) - 1
    return specs.BoundedArray(space.shape, np.int32, 0, last, "action"), np.int64(space.start)
  if isinstance(space, gymnasium.spaces.MultiBinary):
    return specs.BoundedArray(space.shape, np.int32, 0, 1, "action"), 0
  if isinstance(space, gymnasium.spaces.Discrete):
    return specs.DiscreteArray(int(space.n), np.int32, "action"), int(space.start)
  if isinstance(space, gymnasium.spaces.Box):
    return specs.BoundedArray(space.shape, space.dtype, space.low, space.high, "action"), 0
  raise ValueError(
    f"action space {action_specs.one_line(space)} is not supported; expected a Box, Discrete,"
    " MultiDiscrete or MultiBinary space (gymnasium.wrappers.TransformAction makes one)."
  )
