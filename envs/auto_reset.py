"""Auto-reset: one endless stream of episodes, in dm_env's convention.

The step after a LAST ignores its action and returns the FIRST of a new episode, so no observation
is ever dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import dm_env
import jax
import jax.numpy as jnp

from envs.capabilities import HasObserve
from envs.environment import LAST
from envs.wrapper import Wrapper


class AutoResetState(NamedTuple):
  """State of `AutoReset`: the episode's own state, a key for the resets to come, the last type."""

  inner: Any
  key: jax.Array
  step_type: jax.Array


class AutoReset(Wrapper[AutoResetState]):
  """Starts a new episode on the step after a LAST; its action is ignored.

  Under vmap both a reset and a step are computed and one is chosen, but for a `costly_reset`. Of
  an environment that has `observe` only the chosen state's observation is computed, which halves
  the cost of pixels.
  """

  def reset(self, key: jax.Array) -> tuple[AutoResetState, dm_env.TimeStep]:
    key, episode_key = jax.random.split(key)
    inner, timestep = self.env.reset(episode_key)
    return AutoResetState(inner, key, timestep.step_type), timestep

  def step(
    self, state: AutoResetState, action: jax.Array
  ) -> tuple[AutoResetState, dm_env.TimeStep]:
    key, episode_key = jax.random.split(state.key)
    ended = state.step_type == LAST
    env = self.env
    observe = env.observe if isinstance(env, HasObserve) else None

    def bare(pair: tuple[Any, dm_env.TimeStep]) -> tuple[Any, dm_env.TimeStep]:
      return pair if observe is None else (pair[0], pair[1]._replace(observation=None))

    stepped = bare(env.step(state.inner, action))
    choose = _choose_few if env.costly_reset else _choose
    inner, timestep = choose(lambda key: bare(env.reset(key)), ended, episode_key, stepped)
    if observe is not None:
      timestep = timestep._replace(observation=observe(inner))
    return AutoResetState(inner, key, timestep.step_type), timestep

  def inner_state(self, state: AutoResetState) -> Any:
    return state.inner


def _choose(
  reset: Callable[[jax.Array], Any], ended: jax.Array, key: jax.Array, stepped: Any
) -> Any:
  """Returns `reset(key)` where `ended`, else `stepped`."""
  return jax.tree.map(lambda new, old: jnp.where(ended, new, old), reset(key), stepped)


RESETS_AT_ONCE = 1 / 64
"""Share of the environments that `_choose_few` resets at once; most steps end fewer episodes."""


def _choose_few(
  reset: Callable[[jax.Array], Any], ended: jax.Array, key: jax.Array, stepped: Any
) -> Any:
  """`_choose` that under any number of vmaps calls `reset` for the few that ended, and no others.

  A `cond` would become a select, so a loop takes the place of vmap: all axes are handed to it.
  """

  @jax.custom_batching.custom_vmap
  def restart_ended(ended: jax.Array, keys: jax.Array, stepped: Any) -> Any:
    at_once = max(1, int(ended.size * RESETS_AT_ONCE))

    def restart_some(carry: tuple[jax.Array, Any]) -> tuple[jax.Array, Any]:
      ended, chosen = carry
      # Places left over lie outside, where a gather takes anything and a scatter drops it.
      where = jnp.nonzero(ended, size=at_once, fill_value=ended.size)
      started = jax.vmap(reset)(keys.at[where].get(mode="clip"))
      chosen = jax.tree.map(lambda x, new: x.at[where].set(new, mode="drop"), chosen, started)
      return ended.at[where].set(False, mode="drop"), chosen

    return jax.lax.while_loop(lambda carry: carry[0].any(), restart_some, (ended, stepped))[1]

  @restart_ended.def_vmap
  def _(size: int, batched: Any, *arguments: Any) -> Any:
    whole = jax.tree.map(
      lambda x, has_axis: x if has_axis else jnp.broadcast_to(x, (size, *x.shape)),
      arguments,
      tuple(batched),
    )
    chosen = restart_ended(*whole)
    return chosen, jax.tree.map(lambda _: True, chosen)

  one = jax.tree.map(lambda x: x[None], (ended, key, stepped))
  return jax.tree.map(lambda x: x[0], restart_ended(*one))
