"""Zipf's Gridworld with the window as categories in place of pixels."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from envs.environment import registry
from envs.observation import Cells
from envs.zipf import maps
from envs.zipf.gridworld import CENTRE, VIEW, ZipfGridworld, ZipfState
from envs.zipf.templates import COLOURS, SHAPES

FLOOR, WALL, AGENT = 0, 1, 2
"""Shape numbers of the plain cells, whose colour number is 0."""
FIRST_SHAPE, FIRST_COLOUR = 3, 1
"""Numbers of the first shape and the first colour of objects, in the order of `templates`."""


@functools.cache
def _objects() -> np.ndarray:
  """Returns (shape, colour) of each map's objects by rank, int32 [20, 20, 2]."""
  world = maps.load()
  return np.stack([world.shape + FIRST_SHAPE, world.colour + FIRST_COLOUR], -1)


@functools.cache
def _boards() -> np.ndarray:
  """Returns the maps in a margin of floor, int32 [20, 19, 19, 2]."""
  world = maps.load()
  cells = np.zeros((maps.MAPS, maps.CELLS, 2), np.int32)
  cells[..., 0] = np.where(world.walls, WALL, FLOOR)
  cells[np.arange(maps.MAPS)[:, None], world.object_cell] = _objects()
  board = cells.reshape(maps.MAPS, maps.SIDE, maps.SIDE, 2)
  return np.pad(board, ((0, 0), (CENTRE, CENTRE), (CENTRE, CENTRE), (0, 0)))


@registry.register("zipf/gridworld-symbolic")
class ZipfGridworldSymbolic(ZipfGridworld):
  """Zipf's Gridworld in symbols: (shape, colour) of each cell of the window; the cue at [0, 0]."""

  def observe(self, state: ZipfState) -> jax.Array:
    """Returns the agent's view, int32 [7, 7, 2]: shape 0 floor, 1 wall, 2 agent, 3.. objects."""
    row, column = jnp.divmod(state.cell, maps.SIDE)
    corner = (state.map_index, row, column, 0)
    view = jax.lax.dynamic_slice(_boards(), corner, (1, VIEW, VIEW, 2))[0]
    under = view[CENTRE, CENTRE]
    agent = jnp.where(under[0] == FLOOR, jnp.array([AGENT, 0], jnp.int32), under)
    cue = jnp.asarray(_objects())[state.map_index, state.target_index]
    return view.at[CENTRE, CENTRE].set(agent).at[0, 0].set(cue)

  def observation_spec(self) -> Cells:
    last = np.array([FIRST_SHAPE + len(SHAPES), FIRST_COLOUR + len(COLOURS)], np.int32) - 1
    return Cells((VIEW, VIEW, 2), np.int32, 0, last, side=1, name="view")
