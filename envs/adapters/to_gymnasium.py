"""To gymnasium, single and vectorised.

Termination is LAST with discount 0 and truncation LAST with discount 1. Observations that are dicts
of leaves are Dict spaces; the mask of actions, the leaf `legal`, is there an `action_mask` of int8,
as gymnasium's `Discrete.sample` takes it.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import jax
import numpy as np
from dm_env import specs
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from envs import action_specs
from envs.action_specs import ActionReader
from envs.adapters.spaces import MASKS
from envs.auto_reset import AutoReset
from envs.capabilities import HasRender
from envs.environment import LAST, Environment
from envs.observation import HIDDEN, LABEL, LEGAL, Spec

RENDER_METADATA: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}


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


class _GymnasiumEnv(gymnasium.Env[Any, np.int64]):
  def __init__(self, env: Environment, render_mode: str | None):
    self.metadata = _metadata(env, render_mode)
    self.render_mode = render_mode
    self.observation_space = _observation_space(env.observation_spec())
    self.action_space = _action_space(env.action_spec())
    self._read_action = ActionReader(env.action_spec())
    self._jitted_reset = jax.jit(env.reset)
    self._jitted_step = jax.jit(env.step)
    self._jitted_render = jax.jit(env.render) if isinstance(env, HasRender) else None
    self._state: Any = None
    self._ended = True

  def reset(
    self, *, seed: int | None = None, options: dict[str, Any] | None = None
  ) -> tuple[Any, dict[str, Any]]:
    super().reset(seed=seed)
    self._state, timestep = self._jitted_reset(_draw_key(self.np_random))
    self._ended = False
    return _shown(timestep.observation), {}

  def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
    if self._ended:
      raise gymnasium.error.ResetNeeded("the episode is over or never began: call reset() first.")
    self._state, timestep = self._jitted_step(self._state, self._read_action(action))
    self._ended = int(timestep.step_type) == LAST
    terminated = self._ended and float(timestep.discount) == 0.0
    return (
      _shown(timestep.observation),
      float(timestep.reward),
      terminated,
      self._ended and not terminated,
      {},
    )

  def render(self) -> Any:
    if self.render_mode is None or self._jitted_render is None:
      return None
    if self._state is None:
      raise gymnasium.error.ResetNeeded("nothing to render yet: call reset() first.")
    return np.array(self._jitted_render(self._state))


class _GymnasiumVectorEnv(gymnasium.vector.VectorEnv[Any, np.ndarray, np.ndarray]):
  def __init__(self, env: Environment, num_envs: int, render_mode: str | None):
    self.metadata = {**_metadata(env, render_mode), "autoreset_mode": AutoresetMode.NEXT_STEP}
    self.render_mode = render_mode
    self.num_envs = num_envs
    self.single_observation_space = _observation_space(env.observation_spec())
    self.single_action_space = _action_space(env.action_spec())
    self.observation_space = batch_space(self.single_observation_space, num_envs)
    self.action_space = batch_space(self.single_action_space, num_envs)
    self._read_actions = ActionReader(env.action_spec())
    env = AutoReset(env)
    self._jitted_reset = jax.jit(lambda key: jax.vmap(env.reset)(jax.random.split(key, num_envs)))
    self._jitted_step = jax.jit(jax.vmap(env.step))
    self._jitted_render = jax.jit(jax.vmap(env.render)) if isinstance(env, HasRender) else None
    self._state: Any = None

  def reset(
    self, *, seed: int | None = None, options: dict[str, Any] | None = None
  ) -> tuple[Any, dict[str, Any]]:
    super().reset(seed=seed)
    self._state, timestep = self._jitted_reset(_draw_key(self.np_random))
    return _shown(timestep.observation), {}

  def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    if self._state is None:
      raise gymnasium.error.ResetNeeded("no episode has begun: call reset() first.")
    actions = self._read_actions(actions, batch=(self.num_envs,))
    self._state, timestep = self._jitted_step(self._state, actions)
    last = np.asarray(timestep.step_type) == LAST
    terminated = last & (np.asarray(timestep.discount) == 0.0)
    return (
      _shown(timestep.observation),
      np.array(timestep.reward),
      terminated,
      last & ~terminated,
      {},
    )

  def render(self) -> Any:
    if self.render_mode is None or self._jitted_render is None:
      return None
    if self._state is None:
      raise gymnasium.error.ResetNeeded("nothing to render yet: call reset() first.")
    return tuple(np.array(self._jitted_render(self._state)))


def _draw_key(rng: np.random.Generator) -> jax.Array:
  return jax.random.key(int(rng.integers(2**31)))


def _metadata(env: Environment, render_mode: str | None) -> dict[str, Any]:
  drawn = isinstance(env, HasRender)
  metadata: dict[str, Any] = RENDER_METADATA if drawn else {"render_modes": []}
  if render_mode not in (None, *metadata["render_modes"]):
    raise ValueError(
      f"{type(env).__name__} cannot render as {render_mode!r}; "
      f"expected None{' or rgb_array' if drawn else ', for it has no render()'}."
    )
  return metadata


def _observation_space(spec: Spec) -> gymnasium.Space[Any]:
  if isinstance(spec, specs.Array):
    return _space(spec)
  spaces = {name: _space(leaf) for name, leaf in spec.items() if name not in HIDDEN}
  if LEGAL in spec:
    spaces[MASKS[0]] = gymnasium.spaces.MultiBinary(spec[LEGAL].shape[0])
  return gymnasium.spaces.Dict(spaces)


def _shown(observation: Any) -> Any:
  """An observation, or a batch of them, as gymnasium has it."""
  shown = jax.tree.map(np.array, observation)
  if isinstance(shown, dict):
    shown.pop(LABEL, None)
  if isinstance(shown, dict) and LEGAL in shown:
    shown[MASKS[0]] = shown.pop(LEGAL).astype(np.int8)
  return shown


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
