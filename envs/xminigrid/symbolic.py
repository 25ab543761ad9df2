"""MiniGrid tasks of XLand-MiniGrid (Nikulin et al. 2023, arXiv 2312.12044), and those of `rooms`.

The library has its own rules of play, which differ from MiniGrid's in the order of the actions and
in that there are no boxes; reward and time limits are MiniGrid's.
"""

from __future__ import annotations

import functools
from typing import Any

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.capabilities import Oracle, Places
from envs.environment import LAST, Environment, registry, restart, transition
from envs.extras import extra
from envs.observation import Cells

ANY_REWARD = 1e-6
"""A return above this is a success: the goal pays 1 - 0.9 steps / limit, and nothing else does."""
PREFIX = "MiniGrid-"


class XMiniGrid(Environment[Any]):
  """A task of XLand-MiniGrid. Observations int32 [7, 7, 2], the agent at [6, 3] looking up.

  Actions: 0 forward, 1 turn right, 2 turn left, 3 pick up, 4 put down, 5 open or close a door.
  """

  success_return = ANY_REWARD
  costly_reset = True

  def __init__(self, inner: Any, params: Any):
    """Adapts `inner`, an environment of xminigrid, and its parameters."""
    from xminigrid.core.observation import transparent_field_of_view

    self._inner = inner
    self._params = params
    # Outside of jit, the library's switches would be compiled anew at every call.
    self._reset = jax.jit(functools.partial(inner.reset, params))
    self._step = jax.jit(functools.partial(inner.step, params))
    side = params.view_size
    self._view = jax.jit(functools.partial(transparent_field_of_view, height=side, width=side))
    self.max_episode_steps = int(params.max_steps)

  def reset(self, key: jax.Array) -> tuple[Any, dm_env.TimeStep]:
    state = _strong(self._reset(key).state)
    return state, restart(self.observe(state))

  def step(self, state: Any, action: jax.Array) -> tuple[Any, dm_env.TimeStep]:
    from xminigrid.types import TimeStep

    unread: Any = None
    before = TimeStep(state, unread, unread, unread, unread)
    after = self._step(before, action)
    state = _strong(after.state)
    # Its discount is 0 at the goal alone, on the last step too.
    return state, transition(
      self.observe(state), after.reward, after.discount == 0, after.step_type == LAST
    )

  def observe(self, state: Any) -> jax.Array:
    """Returns (tile, colour) of what lies ahead, int32 [7, 7, 2]; in the agent's cell, its pocket.

    As in MiniGrid; the library shows what the agent stands on in place of what it carries.
    """
    view = self._view(state.grid, state.agent)
    side = self._params.view_size
    return view.at[side - 1, side // 2].set(state.agent.pocket).astype(jnp.int32)

  def observation_spec(self) -> Cells:
    from xminigrid.core.constants import NUM_COLORS, NUM_TILES

    last = np.array([NUM_TILES - 1, NUM_COLORS - 1], np.int32)
    shape = self._inner.observation_shape(self._params)
    return Cells(shape, np.int32, 0, last, side=1, name="view")

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(self._inner.num_actions(self._params), np.int32, "action")

  def places(self) -> Places:
    """The cells within the outer wall, of which an episode's own walls take some away."""
    inside = np.zeros((self._params.height, self._params.width), bool)
    inside[1:-1, 1:-1] = True
    rooms = getattr(self._inner, "room_of_cell", np.full(inside.shape, -1, np.int32))
    return Places(self._params.height, self._params.width, inside.ravel(), rooms.ravel())

  def oracle(self, state: Any) -> Oracle:
    row, column = state.agent.position
    place = (row * self._params.width + column).astype(jnp.int32)
    return Oracle(place, jnp.zeros((0,), jnp.int32), jnp.bool_(False))


def _strong(state: Any) -> Any:
  """Gives every array its dtype for good, so that a loop over steps compiles once."""
  return jax.tree.map(lambda x: jax.lax.convert_element_type(x, jnp.asarray(x).dtype), state)


def names() -> list[str]:
  """The library's ids without "MiniGrid-", and those of `rooms`; XLand's rules are none of them."""
  import xminigrid

  from envs.xminigrid.rooms import TASKS  # which are built on the library

  ids = [id for id in xminigrid.registered_environments() if id.startswith(PREFIX)]
  return [*(id.removeprefix(PREFIX) for id in ids), *TASKS]


@registry.family("xminigrid/", "id", names)
def xminigrid(id: str) -> XMiniGrid:
  """MiniGrid in JAX (XLand-MiniGrid): keys, doors and rooms; the goal pays, nothing else does.

  Args:
    id: MiniGrid's, without "MiniGrid-" and "-v0": DoorKey-8x8, KeyCorridorS3R3, ...

  Raises:
    ValueError: if xminigrid is not installed.
  """
  library = extra("xminigrid", "xminigrid")
  from envs.xminigrid.rooms import TASKS

  if id in TASKS:
    inner = TASKS[id]()
    return XMiniGrid(inner, inner.default_params())
  return XMiniGrid(*library.make(PREFIX + id))
