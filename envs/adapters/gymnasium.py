"""To and from gymnasium, single and vectorised, and the `rarebird/...` names in its registry.

Termination is LAST with discount 0 and truncation LAST with discount 1, in both directions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

import dm_env
import gymnasium
import jax
import numpy as np
from dm_env import specs
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from envs import action_specs, nests
from envs.action_specs import ActionReader
from envs.adapters.answers import as_expected, flag, space_of
from envs.adapters.spaces import MASKS, ObservationReader, is_mask
from envs.environment import (
  LAST,
  AutoReset,
  Environment,
  make,
  registry,
)
from envs.given import check_reward
from envs.observation import ALONE, legal_spec
from envs.success import InfoSuccess

RENDER_METADATA: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}
Masks = Literal["ignored", "info"] | None
STEP_PARTS = ("observation", "reward", "terminated", "truncated", "info")
"""What gymnasium's step() returns."""


def to_gymnasium(env: Environment, render_mode: str | None = None) -> gymnasium.Env:
  """Returns `env` as a gymnasium.Env, seeded by `reset(seed=...)`.

  Args:
    env: any environment of the contract.
    render_mode: None, or "rgb_array" where the environment has a `render`.

  Raises:
    ValueError: for a render mode that the environment does not have.
  """
  return _GymnasiumEnv(env, render_mode)


def to_gymnasium_vector(
  env: Environment, num_envs: int, render_mode: str | None = None
) -> gymnasium.vector.VectorEnv:
  """Returns `num_envs` copies of `env` as one jitted gymnasium VectorEnv, resetting on NEXT_STEP.

  Args:
    env: any environment of the contract.
    num_envs: how many episodes run side by side.
    render_mode: None, or "rgb_array" where the environment has a `render`.

  Raises:
    ValueError: for a render mode that the environment does not have.
  """
  return _GymnasiumVectorEnv(env, num_envs, render_mode)


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


def gymnasium_id(name: str) -> str:
  """The gymnasium id of a registered name: "zipf/gridworld" is "rarebird/zipf-gridworld-v0"."""
  return f"rarebird/{name.replace('/', '-')}-v0"


def register_all() -> None:
  """Files every environment registered so far with gymnasium, for `make` and `make_vec`."""
  for name in registry.names():
    if gymnasium_id(name) not in gymnasium.registry:
      gymnasium.register(
        id=gymnasium_id(name),
        entry_point=f"{__name__}:make_registered",
        vector_entry_point=f"{__name__}:make_registered_vector",
        kwargs={"name": name},
      )


def make_registered(name: str, render_mode: str | None = None, **settings: Any) -> gymnasium.Env:
  """The entry point behind `gymnasium.make`."""
  return to_gymnasium(_make_functional(name, settings), render_mode)


# gymnasium.make reads it to offer the modes "human" and "rgb_array_list" by its own wrappers.
make_registered.metadata = RENDER_METADATA  # type: ignore[attr-defined]


def make_registered_vector(
  name: str, num_envs: int, render_mode: str | None = None, **settings: Any
) -> gymnasium.vector.VectorEnv:
  """The entry point behind `gymnasium.make_vec`."""
  return to_gymnasium_vector(_make_functional(name, settings), num_envs, render_mode)


class _GymnasiumEnv(gymnasium.Env[np.ndarray, np.int64]):
  def __init__(self, env: Environment, render_mode: str | None):
    self.metadata = _metadata(env, render_mode)
    self.render_mode = render_mode
    self.observation_space = _space(env.observation_spec())
    self.action_space = _action_space(env.action_spec())
    self._read_action = ActionReader(env.action_spec())
    self._jitted_reset = jax.jit(env.reset)
    self._jitted_step = jax.jit(env.step)
    self._jitted_render = jax.jit(env.render)
    self._state: Any = None
    self._ended = True

  def reset(
    self, *, seed: int | None = None, options: dict[str, Any] | None = None
  ) -> tuple[np.ndarray, dict[str, Any]]:
    super().reset(seed=seed)
    self._state, timestep = self._jitted_reset(_draw_key(self.np_random))
    self._ended = False
    return np.array(timestep.observation), {}

  def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
    if self._ended:
      raise gymnasium.error.ResetNeeded("the episode is over or never began: call reset() first.")
    self._state, timestep = self._jitted_step(self._state, self._read_action(action))
    self._ended = int(timestep.step_type) == LAST
    terminated = self._ended and float(timestep.discount) == 0.0
    return (
      np.array(timestep.observation),
      float(timestep.reward),
      terminated,
      self._ended and not terminated,
      {},
    )

  def render(self) -> Any:
    if self.render_mode is None:
      return None
    if self._state is None:
      raise gymnasium.error.ResetNeeded("nothing to render yet: call reset() first.")
    return np.array(self._jitted_render(self._state))


class _GymnasiumVectorEnv(gymnasium.vector.VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
  def __init__(self, env: Environment, num_envs: int, render_mode: str | None):
    self.metadata = {**_metadata(env, render_mode), "autoreset_mode": AutoresetMode.NEXT_STEP}
    self.render_mode = render_mode
    self.num_envs = num_envs
    self.single_observation_space = _space(env.observation_spec())
    self.single_action_space = _action_space(env.action_spec())
    self.observation_space = batch_space(self.single_observation_space, num_envs)
    self.action_space = batch_space(self.single_action_space, num_envs)
    self._read_actions = ActionReader(env.action_spec())
    env = AutoReset(env)
    self._jitted_reset = jax.jit(lambda key: jax.vmap(env.reset)(jax.random.split(key, num_envs)))
    self._jitted_step = jax.jit(jax.vmap(env.step))
    self._jitted_render = jax.jit(jax.vmap(env.render))
    self._state: Any = None

  def reset(
    self, *, seed: int | None = None, options: dict[str, Any] | None = None
  ) -> tuple[np.ndarray, dict[str, Any]]:
    super().reset(seed=seed)
    self._state, timestep = self._jitted_reset(_draw_key(self.np_random))
    return np.array(timestep.observation), {}

  def step(
    self, actions: Any
  ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    if self._state is None:
      raise gymnasium.error.ResetNeeded("no episode has begun: call reset() first.")
    actions = self._read_actions(actions, batch=(self.num_envs,))
    self._state, timestep = self._jitted_step(self._state, actions)
    last = np.asarray(timestep.step_type) == LAST
    terminated = last & (np.asarray(timestep.discount) == 0.0)
    return (
      np.array(timestep.observation),
      np.array(timestep.reward),
      terminated,
      last & ~terminated,
      {},
    )

  def render(self) -> Any:
    if self.render_mode is None:
      return None
    if self._state is None:
      raise gymnasium.error.ResetNeeded("nothing to render yet: call reset() first.")
    return tuple(np.array(self._jitted_render(self._state)))


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
    return self._success.told()

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


def _make_functional(name: str, settings: dict[str, Any]) -> Environment:
  env = make(name, **settings)
  if not isinstance(env, Environment):
    raise ValueError(f"environment {name!r} runs on the host; gymnasium can make it by itself.")
  return env


def _draw_key(rng: np.random.Generator) -> jax.Array:
  return jax.random.key(int(rng.integers(2**31)))


def _metadata(env: Environment, render_mode: str | None) -> dict[str, Any]:
  drawn = type(env).render is not Environment.render
  metadata: dict[str, Any] = RENDER_METADATA if drawn else {"render_modes": []}
  if render_mode not in (None, *metadata["render_modes"]):
    raise ValueError(
      f"{type(env).__name__} cannot render as {render_mode!r}; "
      f"expected None{' or rgb_array' if drawn else ', for it has no render()'}."
    )
  return metadata


def _space(spec: specs.Array) -> gymnasium.Space[Any]:
  if isinstance(spec, specs.DiscreteArray):
    return gymnasium.spaces.Discrete(int(spec.num_values))
  if isinstance(spec, specs.BoundedArray):
    low, high = spec.minimum, spec.maximum
  elif np.issubdtype(spec.dtype, np.integer):
    low, high = np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max
  else:
    low, high = -np.inf, np.inf
  return gymnasium.spaces.Box(
    np.broadcast_to(low, spec.shape).astype(spec.dtype),
    np.broadcast_to(high, spec.shape).astype(spec.dtype),
    dtype=spec.dtype.type,
  )


def _action_space(spec: specs.Array) -> gymnasium.Space[Any]:
  if action_specs.kind(spec) == "factored":
    return gymnasium.spaces.MultiDiscrete(action_specs.counts(spec))
  return _space(spec)


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
