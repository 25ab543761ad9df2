"""The picture of a maze that a person looks at."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from envs.mazes.maps import Map
from envs.mazes.objects import KINDS
from envs.mazes.snow import Snow

CELL = 12
"""Side of a cell, in pixels."""
WALL, DOOR, GRID = (45, 50, 65), (240, 205, 140), (205, 205, 205)
ROOMS = ((255, 255, 255), (232, 238, 245))
"""Floor of the rooms, by turns."""
GOAL, AGENT, OUTLINE = (80, 200, 120), (0, 0, 0), (255, 255, 255)
COLOURS = dict(
  zip(
    KINDS,
    ((140, 80, 30), (30, 110, 220), (220, 40, 40), (170, 40, 200), (245, 150, 0)),
    strict=True,
  )
)
SNOW = ((60, 60, 60), (225, 225, 225))
WINDOW = np.array((255, 235, 90), np.float32)
"""What the window that the agent sees is tinted with."""
TINT = 0.3


@functools.cache
def _disc(radius: float) -> np.ndarray:
  """Returns the pixels of a cell within a disc in its middle, bool [CELL, CELL, 1]."""
  row, column = np.indices((CELL, CELL)) - (CELL - 1) / 2
  return (row**2 + column**2 <= radius**2)[..., None]


def _background(world: Map, goal: int | None) -> np.ndarray:
  """Returns the cells without what moves, float32 [P, CELL, CELL, 3]."""
  colours = np.array(ROOMS, np.float32)[world.rooms % 2]
  colours[world.rooms < 0] = DOOR
  colours[world.walls] = WALL
  if goal is not None:
    colours[goal] = GOAL
  cells = np.repeat(colours[:, None, None], CELL, 1).repeat(CELL, 2)
  floor = ~world.walls
  cells[floor, -1] = GRID
  cells[floor, :, -1] = GRID
  return cells


def draw(
  world: Map,
  goal: int | None,
  kinds: Sequence[str],
  cell: jax.Array,
  objects: jax.Array,
  snow: Snow,
) -> jax.Array:
  """Draws a maze.

  Args:
    world: the map, R x C cells.
    goal: the cell that pays, if any.
    kinds: of the N objects.
    cell: where the agent is, int32.
    objects: where the objects are, int32 [N].
    snow: what falls on the agent's view; the window shows it.

  Returns:
    uint8 [12 R, 12 C, 3].
  """
  cells = jnp.asarray(_background(world, goal))
  window = jnp.asarray(world.window)[cell].ravel()
  window = jnp.where(window < 0, len(cells), window)  # which the writes below drop
  seen = cells.at[window].get(mode="clip")
  tinted = seen + TINT * (WINDOW - seen)
  flakes = jnp.array(SNOW, jnp.float32)[snow.pixels().ravel().astype(jnp.int32)][:, None, None]
  cells = cells.at[window].set(jnp.where(snow.falls, flakes, tinted), mode="drop")
  for i, kind in enumerate(kinds):
    mark = jnp.where(_disc(4.5), jnp.array(COLOURS[kind], jnp.float32), cells[objects[i]])
    cells = cells.at[objects[i]].set(mark)
  mark = jnp.where(_disc(5.0), jnp.array(OUTLINE, jnp.float32), cells[cell])
  mark = jnp.where(_disc(3.5), jnp.array(AGENT, jnp.float32), mark)
  cells = cells.at[cell].set(mark)
  grid = cells.reshape(world.rows, world.columns, CELL, CELL, 3)
  return grid.swapaxes(1, 2).reshape(world.rows * CELL, -1, 3).astype(jnp.uint8)
