"""From gymnasium: its environments as dm_env.

Termination is LAST with discount 0 and truncation LAST with discount 1.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

import dm_env
import gymnasium
import numpy as np
from dm_env import specs

from envs import action_specs, nests
from envs.action_specs import ActionReader
from envs.adapters.answers import as_expected, flag, space_of
from envs.adapters.spaces import MASKS, ObservationReader, is_mask
from envs.given import check_reward
from envs.observation import ALONE, legal_spec
from envs.success import InfoSuccess

Masks = Literal["ignored", "info"] | None
STEP_PARTS = ("observation", "reward", "terminated", "truncated", "info")
"""What gymnasium's step() returns."""


def from_gymnasium(
  env: gymnasium.Env, seed: int | None = None, masks: Masks = None
) -> FromGymnasium:
  """Returns a gymnasium environment as a dm_env.Environment, for the runtimes on the host.

  Args:
    env: observations as `envs.adapters.spaces` says; actions a Discrete, Box, MultiDiscrete or
      MultiBinary space.
    seed: seeds the first reset, and so the whole sequence of episodes.
    masks: "info" adds the mask of actions that its infos hold to the observations, as
      `action_mask`; one of the method `action_masks()`, which sb3-contrib reads, is added anyhow.
      "ignored" adds none.

  Raises:
    ValueError: for any other kind of space, and an environment of the old gym interface.
    UndeclaredMask: where `masks` is None, by a reset or step whose info holds a mask.
  """
  return FromGymnasium(env, seed, masks)


class UndeclaredMask(ValueError):
  """An info holds a mask of actions that is no part of the observations."""


class FromGymnasium(dm_env.Environment):
  """A gymnasium environment as dm_env; see `from_gymnasium`."""

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
    declared = any(is_mask(where) for where, _ in nests.leaves(self._read.spec, "observation"))
    self._masks: Literal["ignored", "info", "method"] | None = "ignored" if declared else masks
    if env.has_wrapper_attr("action_masks") and self._masks != "ignored":
      self._masks = "method"
    self._ended = True

  def reset(self) -> dm_env.TimeStep:
    found = self._env.reset(seed=self._seed)
    observation, info = as_expected(self._name, "reset", found, "observation", "info")
    self._seed = None  # a seed given twice would repeat the same episode
    self._success.begin()
    self._ended = False
    return dm_env.restart(self._observed(observation, info, "reset"))

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
    reward = check_reward(reward)
    terminated, truncated = flag("terminated", terminated), flag("truncated", truncated)
    self._success.read(info)
    self._ended = terminated or truncated
    observation = self._observed(observation, info, "step")
    if terminated:
      return dm_env.termination(reward, observation)
    if truncated:
      return dm_env.truncation(reward, observation)
    return dm_env.transition(reward, observation)

  def observation_spec(self) -> Any:
    spec = self._read.spec
    if self._masks in ("info", "method"):
      return _with_mask(spec, legal_spec(self._action_spec))
    return spec

  def expect_mask(self) -> None:
    """Adds the mask of actions that infos hold to the observations, from the next reset on."""
    if self._masks is None:
      self._masks = "info"

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

  def _observed(self, observation: Any, info: Mapping[str, Any], method: str) -> Any:
    observation = self._read(observation)
    if self._masks == "ignored":
      return observation
    if self._masks == "method":
      return _with_mask(observation, _flat(self._env.get_wrapper_attr("action_masks")()))
    found = next((name for name in MASKS if name in info), None)
    if self._masks is None:
      if found is None:
        return observation
      raise UndeclaredMask(
        f"{self._name}.{method}() gives {found!r} in its info, where reset() gave none before; give"
        " it at every reset and step."
      )
    if found is None:
      raise ValueError(
        f"{self._name}.{method}() gives no {MASKS[0]!r} in its info, as it did before; give it at"
        " every reset and step."
      )
    return _with_mask(observation, _flat(info[found]))


def _with_mask(observation: Any, mask: Any) -> dict[str, Any]:
  """An observation, or its spec, with a mask beside."""
  parts = observation if isinstance(observation, Mapping) else {ALONE: observation}
  return {**parts, MASKS[0]: mask}


def _flat(mask: Any) -> np.ndarray:
  """A mask as one array; those of several actions at once may be one array each."""
  if isinstance(mask, tuple | list) and any(np.ndim(part) for part in mask):
    return np.concatenate([np.ravel(part) for part in mask])
  return np.ravel(mask)


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
