"""Craftax with symbolic observations (Matthews et al. 2024, arXiv 2402.16801), as it was published.

Only the symbolic renderer is imported: the one in pixels prepares textures for a minute.
"""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any, NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.capabilities import Oracle, Places
from envs.environment import Environment, registry, restart, transition
from envs.extras import extra

VARIANTS = {
  "classic": (
    "craftax.craftax_classic.envs.craftax_symbolic_env",
    "CraftaxClassicSymbolicEnvNoAutoReset",
    22.0,
  ),
  "full": ("craftax.craftax.envs.craftax_symbolic_env", "CraftaxSymbolicEnvNoAutoReset", 226.0),
}
"""Module, class, and the return of all achievements: 22 of one point, or 67 of 1, 3, 5 or 8."""


class CraftaxState(NamedTuple):
  """The world, and the key of what happens in it by chance."""

  world: Any
  key: jax.Array


class Craftax(Environment[CraftaxState]):
  """Craftax or Craftax-Classic. Observations float32 [N]; each achievement pays once."""

  costly_reset = True

  def __init__(self, inner: Any, success_return: float, max_episode_steps: int | None):
    """Adapts `inner`, an environment of craftax without auto-reset; None keeps its time limit."""
    self._inner = inner
    params = inner.default_params
    if max_episode_steps is not None:
      params = dataclasses.replace(params, max_timesteps=max_episode_steps)
    self._params = params
    self.success_return = success_return
    self.max_episode_steps = int(params.max_timesteps)

  def reset(self, key: jax.Array) -> tuple[CraftaxState, dm_env.TimeStep]:
    key, world_key = jax.random.split(key)
    _, world = self._inner.reset_env(world_key, self._params)
    state = CraftaxState(_strong(world), key)
    return state, restart(self.observe(state))

  def step(self, state: CraftaxState, action: jax.Array) -> tuple[CraftaxState, dm_env.TimeStep]:
    key, step_key = jax.random.split(state.key)
    _, world, reward, done, _ = self._inner.step_env(step_key, state.world, action, self._params)
    state = CraftaxState(_strong(world), key)
    # Its `done` is also true when time is up; whoever dies on the last step has died.
    in_time = world.replace(timestep=jnp.zeros_like(world.timestep))
    terminated = self._inner.is_terminal(in_time, self._params)
    return state, transition(self.observe(state), reward, terminated, truncated=done)

  def observe(self, state: CraftaxState) -> jax.Array:
    """Returns the map around the player one-hot, then what it carries: float32 [N]."""
    return self._inner.get_obs(state.world).astype(jnp.float32)

  def observation_spec(self) -> specs.Array:
    return specs.Array(self._inner.observation_space(self._params).shape, np.float32, "symbols")

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(self._inner.num_actions, np.int32, "action")

  def places(self) -> Places:
    """The cells of the map; of the full game's nine floors, one below the other."""
    rows, columns = self._inner.static_env_params.map_size
    rows *= getattr(self._inner.static_env_params, "num_levels", 1)
    cells = rows * columns
    return Places(rows, columns, np.ones(cells, bool), np.full(cells, -1, np.int32))

  def oracle(self, state: CraftaxState) -> Oracle:
    rows, columns = self._inner.static_env_params.map_size
    row, column = state.world.player_position
    place = (getattr(state.world, "player_level", 0) * rows + row) * columns + column
    return Oracle(place.astype(jnp.int32), jnp.zeros((0,), jnp.int32), jnp.bool_(False))


def _strong(world: Any) -> Any:
  """Gives every array its dtype for good, so that a loop over steps compiles once."""
  return jax.tree.map(lambda x: jax.lax.convert_element_type(x, jnp.asarray(x).dtype), world)


@registry.family("craftax/", "variant", lambda: VARIANTS)
def craftax(variant: str, *, max_episode_steps: int | None = None) -> Craftax:
  """Craftax in symbols: craftax/classic, 22 achievements, and craftax/full, nine floors and a boss.

  Args:
    variant: classic or full.
    max_episode_steps: by default 10,000 and 100,000.

  Raises:
    ValueError: if craftax is not installed.
  """
  extra("craftax", "craftax")
  module, name, success_return = VARIANTS[variant]
  inner = getattr(importlib.import_module(module), name)()
  return Craftax(inner, success_return, max_episode_steps)
