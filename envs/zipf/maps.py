"""The 20 fixed maps of Zipf's Gridworld, and where each of the eight moves leads in them.

Map k is drawn by numpy's `default_rng(1234 + k)`; the order of the draws is part of what a map is.
Source: google-deepmind/zipfian_environments, gridworld.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from envs.zipf.templates import COLOURS, SHAPES

MAPS = 20
OBJECTS = 20
ROOMS = 3
"""Rooms a side."""
PITCH = 4
"""Cells from one wall to the next: a room of 3 and its wall."""
SIDE = ROOMS * PITCH + 1
CELLS = SIDE * SIDE

MOVES = np.array([(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)], np.int32)
"""(row, column) of the actions N, NE, E, SE, S, SW, W, NW."""

Room = tuple[int, int]


class Maps(NamedTuple):
  """All maps, stacked; a cell is numbered row * 13 + column; objects are ordered by their rank.

  Attributes:
    walls: bool [20, 169].
    start: the agent's first cell, int32 [20].
    object_cell: int32 [20, 20].
    shape: index into `templates.SHAPES`, int32 [20, 20].
    colour: index into `templates.COLOURS`, int32 [20, 20].
    object_at: rank of the object in a cell, or -1, int32 [20, 169].
    next_cell: where each action leads, int32 [20, 169, 8]; a blocked move leads nowhere.
  """

  walls: np.ndarray
  start: np.ndarray
  object_cell: np.ndarray
  shape: np.ndarray
  colour: np.ndarray
  object_at: np.ndarray
  next_cell: np.ndarray


def _neighbours(room: Room, rooms: list[Room]) -> list[Room]:
  return [o for o in rooms if abs(o[0] - room[0]) + abs(o[1] - room[1]) == 1]


def _doors(rng: np.random.Generator) -> dict[Room, list[Room]]:
  """Draws which rooms are joined: one door for each room that has none, then a repair."""
  rooms = [(row, column) for row in range(ROOMS) for column in range(ROOMS)]
  doors: dict[Room, list[Room]] = {room: [] for room in rooms}

  def join(room: Room, other: Room) -> None:
    doors[room].append(other)
    doors[other].append(room)

  for room in rooms:
    if not doors[room]:
      near = _neighbours(room, rooms)
      join(room, near[rng.integers(len(near))])

  # The reference keeps the rooms still outside in sets, and the order in which CPython iterates
  # a set of pairs decides what the shuffles below yield: hence sets here, too.
  connected, outside = rooms[:1], rooms[1:]
  while outside:
    grown = []
    for room in outside:
      if any(room in doors[other] for other in connected):
        connected.append(room)
        grown.append(room)
    if not grown:
      rng.shuffle(outside)
      room = next(room for room in outside if _neighbours(room, connected))
      near = _neighbours(room, connected)
      rng.shuffle(near)
      join(room, near[0])
      connected.append(room)
      grown.append(room)
    outside = list(set(outside) - set(grown))
  return doors


def _walls(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
  """Returns walls and doorways, bool [13, 13] each."""
  doors = _doors(rng)
  walls, doorway = np.zeros((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)
  walls[::PITCH] = walls[:, ::PITCH] = True
  for (row, column), others in doors.items():
    for other_row, other_column in set(others):
      if other_row < row:
        doorway[row * PITCH, column * PITCH + rng.integers(1, PITCH)] = True
      elif other_column < column:
        doorway[row * PITCH + rng.integers(1, PITCH), column * PITCH] = True
  return walls & ~doorway, doorway


def _cells(rng: np.random.Generator, doorway: np.ndarray) -> list[int]:
  """Returns the cells of the objects by rank, then the agent's: beside a wall, not at a door."""
  row, column = np.indices((SIDE, SIDE))
  inside = (row % PITCH != 0) & (column % PITCH != 0)
  centre = (row % PITCH == PITCH // 2) & (column % PITCH == PITCH // 2)
  padded = np.pad(doorway, 1)
  at_door = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
  cells = np.flatnonzero(inside & ~centre & ~at_door).tolist()
  rng.shuffle(cells)
  return cells[: OBJECTS + 1]


def _looks(rng: np.random.Generator) -> list[tuple[str, str]]:
  """Returns 20 different (colour, shape) names by rank."""
  looks: list[tuple[str, str]] = []
  while len(looks) < OBJECTS:
    colours = rng.choice(list(COLOURS), OBJECTS + 10, replace=True)
    shapes = rng.choice(SHAPES, OBJECTS + 10, replace=True)
    looks = sorted(set(zip(colours.tolist(), shapes.tolist(), strict=True)))
    rng.shuffle(looks)
  return looks[:OBJECTS]


def _next_cells(walls: np.ndarray) -> np.ndarray:
  """Returns the cell after each move, [169, 8].

  A wall blocks, and so do walls on both sides of a diagonal.
  """
  row, column = np.divmod(np.arange(CELLS)[:, None], SIDE)
  down, right = MOVES.T
  # Only cells on the outer wall, where no agent ever is, lead off the board.
  to_row, to_column = np.clip(row + down, 0, SIDE - 1), np.clip(column + right, 0, SIDE - 1)
  blocked = walls[to_row, to_column] | (walls[to_row, column] & walls[row, to_column])
  return np.where(blocked, row * SIDE + column, to_row * SIDE + to_column)


@functools.cache
def load() -> Maps:
  """Returns the 20 maps (about 0.2 MB), built once for a process."""
  worlds = []
  for k in range(MAPS):
    rng = np.random.default_rng(1234 + k)
    walls, doorway = _walls(rng)
    *object_cell, start = _cells(rng, doorway)
    looks = _looks(rng)
    shape = [SHAPES.index(name) for _, name in looks]
    colour = [list(COLOURS).index(name) for name, _ in looks]
    object_at = np.full(CELLS, -1)
    object_at[object_cell] = np.arange(OBJECTS)
    next_cell = _next_cells(walls)
    worlds.append((walls.ravel(), start, object_cell, shape, colour, object_at, next_cell))
  stacked = Maps(*(np.stack(field) for field in zip(*worlds, strict=True)))
  return Maps(stacked.walls, *(field.astype(np.int32) for field in stacked[1:]))
