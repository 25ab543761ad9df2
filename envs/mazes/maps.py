"""The maps, drawn in characters, and the tables that a step looks up in them.

A cell is numbered row * columns + column, which is also its place (`envs.environment.Places`). A
digit is a floor cell of the room of that number; "+" is a door, floor that belongs to no room; "#"
is a wall.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from envs.capabilities import Places

VIEW = 5
"""Side of the agent's window, in cells; the agent is in its centre."""
CENTRE = VIEW // 2

MOVES = np.array([(-1, 0), (0, 1), (1, 0), (0, -1), (0, 0)], np.int32)
"""(row, column) of the actions north, east, south, west, stay; a direction is one of the first 4"""
NORTH, EAST, SOUTH, WEST, STAY = range(5)
OUTSIDE = -1
"""In place of a cell's number, beyond the map's edge."""

# The forms of the five rooms (a square, and around it four trapezoids that meet at the diagonals)
# are those of arXiv 1902.07685; the sizes are ours: 49 cells, and 48 in each of the others.
FIVE_ROOMS = """
###################
##111111111111111##
#4#1111111111111#2#
#44#11111111111#22#
#444#111111111#222#
#4444####+####2222#
#4444#0000000#2222#
#4444#0000000#2222#
#4444#0000000#2222#
#4444+0000000+2222#
#4444#0000000#2222#
#4444#0000000#2222#
#4444#0000000#2222#
#4444####+####2222#
#444#333333333#222#
#44#33333333333#22#
#4#3333333333333#2#
##333333333333333##
###################
"""

# Ours: a chain of rooms, so that room k is k doors from the start and luck does not find the last.
NINE_ROOMS = """
###################
#00000#11111#22222#
#00000#11111+22222#
#00000#11111#22222#
#00000+11111#22222#
#00000#11111#22222#
################+##
#55555#44444#33333#
#55555+44444#33333#
#55555#44444+33333#
#55555#44444#33333#
#55555#44444#33333#
##+################
#66666#77777#88888#
#66666#77777+88888#
#66666#77777#88888#
#66666+77777#88888#
#66666#77777#88888#
###################
"""


class Map(NamedTuple):
  """A map of P cells; int32 where not said otherwise.

  Attributes:
    rows, columns: of the map; P is their product.
    walls: bool [P].
    rooms: [P], the room of a cell; -1 for walls and doors.
    next_cell: [P, 5], where each of `MOVES` leads; a wall blocks.
    next_inside: [P, 5], the same for what stays in its room: a door blocks too.
    window: [P, 5, 5], the cells seen from a cell, through walls too; -1 beyond the edge.
  """

  rows: int
  columns: int
  walls: np.ndarray
  rooms: np.ndarray
  next_cell: np.ndarray
  next_inside: np.ndarray
  window: np.ndarray

  def room_cells(self, room: int) -> np.ndarray:
    """Returns the cells of a room in reading order, int32 [K]."""
    return np.flatnonzero(self.rooms == room).astype(np.int32)

  def room_centre(self, room: int) -> int:
    """Returns the cell in the middle of a room's rows and columns."""
    row, column = np.divmod(self.room_cells(room), self.columns)
    return int((row.min() + row.max()) // 2 * self.columns + (column.min() + column.max()) // 2)

  def distances(self, start: int) -> np.ndarray:
    """Returns the fewest steps from `start` to each cell, [P]; -1 where none lead."""
    distance = np.full(self.rows * self.columns, -1, np.int32)
    frontier, steps = np.array([start]), 0
    while frontier.size:
      distance[frontier] = steps
      ahead = np.unique(self.next_cell[frontier])
      frontier, steps = ahead[distance[ahead] < 0], steps + 1
    return distance

  def places(self, start: int) -> Places:
    """Returns the places of one who starts in the cell `start`; doors belong to no room."""
    return Places(self.rows, self.columns, self.distances(start) >= 0, self.rooms)


@functools.cache
def parse(drawing: str) -> Map:
  """Returns the map that is drawn in characters, as above."""
  lines = np.array([list(line) for line in drawing.split()])
  rows, columns = lines.shape
  walls = lines == "#"
  rooms = np.full(lines.shape, -1, np.int32)
  rooms[np.char.isdigit(lines)] = lines[np.char.isdigit(lines)].astype(np.int32)

  row, column = np.indices(lines.shape)[..., None] + MOVES.T[:, None, None]
  here = np.arange(lines.size, dtype=np.int32).reshape(lines.shape)
  ahead = np.pad(here, 1, constant_values=OUTSIDE)[row + 1, column + 1]
  blocked = np.pad(walls, 1, constant_values=True)[row + 1, column + 1]
  leaves = np.pad(rooms, 1, constant_values=-1)[row + 1, column + 1] != rooms[..., None]
  next_cell = np.where(blocked, here[..., None], ahead)
  next_inside = np.where(blocked | leaves, here[..., None], ahead)

  padded = np.pad(here, CENTRE, constant_values=OUTSIDE)
  window = np.lib.stride_tricks.sliding_window_view(padded, (VIEW, VIEW))
  return Map(
    rows,
    columns,
    walls.ravel(),
    rooms.ravel(),
    next_cell.reshape(-1, len(MOVES)),
    next_inside.reshape(-1, len(MOVES)),
    window.reshape(-1, VIEW, VIEW).copy(),
  )
