"""The mazes in which points are sent to goals, drawn as in `envs.mazes.maps`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envs.mazes import maps

# GO-FRESH's U of four rooms (arXiv 2301.02099; its code's maze_U4rooms), cell for cell.
U_MAZE = """
#########
#111#222#
#111+222#
#111#222#
##+###+##
#000#333#
#000#333#
#000#333#
#########
"""

# Ours: a ring, so that two ways lead to the far room, and no door faces another.
FOUR_ROOMS = """
#############
#00000#11111#
#00000+11111#
#00000#11111#
#00000#11111#
#00000#11111#
##+######+###
#33333#22222#
#33333#22222#
#33333#22222#
#33333+22222#
#33333#22222#
#############
"""

# Ours: one way of 40 cells, whose end is 6 cells from its beginning as the crow flies.
SPIRAL = """
###########
#000000000#
#########1#
#3444444#1#
#3#####5#1#
#3#788#5#1#
#3#7###5#1#
#3#66665#1#
#3#######1#
#222222221#
###########
"""


class Layout(NamedTuple):
  """A maze and where its episodes begin.

  Attributes:
    world: the map.
    start: a cell.
  """

  world: maps.Map
  start: int


def layout(drawing: str, row: int, column: int) -> Layout:
  """Returns the layout of a drawing, with its start in this row and column."""
  world = maps.parse(drawing)
  return Layout(world, row * world.columns + column)


def u_maze() -> Layout:
  """GO-FRESH's U of four rooms of 3 x 3 cells; from the end of one leg, as there."""
  return layout(U_MAZE, 7, 1)


def four_rooms() -> Layout:
  """Four rooms of 5 x 5 cells in a ring; from the corner of one."""
  return layout(FOUR_ROOMS, 1, 1)


def spiral() -> Layout:
  """A corridor of one cell's width, wound up; from its outer end."""
  return layout(SPIRAL, 1, 1)


def random_maze(size: int, seed: int, braid: float) -> Layout:
  """A maze of one room, with one way from any cell to any other before walls are opened.

  A walk carves it: to a neighbour not visited yet, two cells on, and back where none is left
  ("recursive backtracker"). Every cell can be reached. It starts in the first cell.

  Args:
    size: side in cells, odd, at least 5.
    seed: the maze is a function of size, seed and braid.
    braid: share, from 0 to 1, of the walls left between neighbours that are opened, for loops.

  Raises:
    ValueError: one line, for a size or a share that is not so.
  """
  if not isinstance(size, int) or size < 5 or size % 2 == 0:
    raise ValueError(f"size is {size!r}; expected an odd integer of at least 5.")
  if not 0 <= braid <= 1:
    raise ValueError(f"braid is {braid!r}; expected a share from 0 to 1.")
  rng = np.random.default_rng(seed)
  cells = np.full((size, size), "#")
  cells[1, 1] = "0"
  trail = [np.array([1, 1])]
  while trail:
    here = trail[-1]
    ahead = here + 2 * maps.MOVES[: maps.STAY]
    inside = ((ahead > 0) & (ahead < size)).all(1)
    fresh = [place for place in ahead[inside] if cells[tuple(place)] == "#"]
    if not fresh:
      trail.pop()
      continue
    chosen = fresh[rng.integers(len(fresh))]
    cells[tuple(chosen)] = cells[tuple((here + chosen) // 2)] = "0"
    trail.append(chosen)
  # Between two neighbours lies a cell with one odd and one even place.
  row, column = np.nonzero(cells == "#")
  inside = (np.minimum(row, column) > 0) & (np.maximum(row, column) < size - 1)
  between = np.flatnonzero(inside & ((row + column) % 2 == 1))
  opened = rng.choice(between, round(braid * len(between)), replace=False)
  cells[row[opened], column[opened]] = "0"
  return layout("\n".join("".join(line) for line in cells), 1, 1)
