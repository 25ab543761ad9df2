"""The maps of all tasks: drawn once by NumPy, turned, and kept as arrays, a row a map."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from envs.first_person.hard_eight import table
from envs.first_person.scene import N

TRAIN, HELD_OUT = 32, 8
MAPS = TRAIN + HELD_OUT
"""Of each task: the first to train on."""
AREAS, LISTED = 2, 96
"""Areas of a map, and cells of one at most."""
ROOM, CHAMBER, DOOR, RECESS = range(4)
"""Kinds of floor."""
PLATE = 0.6
"""Cells a side of a plate."""
SEED = 8000


@dataclasses.dataclass
class Gate:
  """A door and what opens it.

  Attributes:
    door: its corners (x, y, z), float [2, 3].
    plate: the plate's, float [2, 3].
    touch: middle of the plate, float [3].
    normal: where it faces, float [2]; 0 for what lies on the floor.
  """

  door: np.ndarray
  plate: np.ndarray
  touch: np.ndarray
  normal: np.ndarray


@dataclasses.dataclass
class Layout:
  """One map.

  Attributes:
    open, void: cells, bool [17, 17].
    floor: its kinds, int [17, 17].
    areas: cells (row, column) that the agent and the things may begin in.
    gates: doors.
    apple: place of the apple's foot, float [3].
  """

  open: np.ndarray
  void: np.ndarray
  floor: np.ndarray
  areas: list[list[tuple[int, int]]]
  gates: list[Gate]
  apple: np.ndarray


class Bank(NamedTuple):
  """All maps, [R] of 40 a task, and of their parts.

  Attributes:
    open, void: cells as bits, bool [R, 17, 17].
    floor: its kinds, uint8 [R, 17, 17].
    cells: numbers of the cells of each area in random order, int32 [R, A, 96].
    listed: how many those are, int32 [R, A].
    door, plate: corners, float32 [R, G, 2, 3].
    touch: middles of the plates, float32 [R, G, 3].
    normal: where they face, float32 [R, G, 2].
    apple: float32 [R, 3].
  """

  open: np.ndarray
  void: np.ndarray
  floor: np.ndarray
  cells: np.ndarray
  listed: np.ndarray
  door: np.ndarray
  plate: np.ndarray
  touch: np.ndarray
  normal: np.ndarray
  apple: np.ndarray


def _cells(rows: range, columns: range) -> list[tuple[int, int]]:
  return [(row, column) for row in rows for column in columns]


def _empty() -> Layout:
  grid = np.zeros((N, N), bool)
  return Layout(grid, grid.copy(), np.zeros((N, N), int), [[], []], [], np.zeros(3))


def _carve(layout: Layout, cells: list[tuple[int, int]], floor: int) -> None:
  for cell in cells:
    layout.open[cell], layout.floor[cell] = True, floor


def _door(row: int, column: int) -> np.ndarray:
  return np.array([[column, row, 0], [column + 1, row + 1, 1.0]])


def _plate(row: int, column: int, side: tuple[int, int], height: float, door: np.ndarray) -> Gate:
  """A plate on the wall at the side (down, right) of a cell, at a height."""
  down, right = side
  touch = np.array([column + 0.5 + right / 2, row + 0.5 + down / 2, height])
  half = np.array([0.04 if right else PLATE / 2, 0.04 if down else PLATE / 2, PLATE / 2])
  plate = np.stack([touch - half, touch + half])
  plate[:, 2] = np.clip(plate[:, 2], 0, 1)
  return Gate(door, plate, touch, np.array([-right, -down], float))


def _two_rooms(
  rng: np.random.Generator, side: int, height: float, apart: float, clear: float
) -> Layout:
  """A room, a door in its east wall to a chamber of 4 x 4 with the apple, a plate on a wall.

  Args:
    rng: draws it.
    side: cells of the room.
    height: of the plate's middle.
    apart: cells between door and plate, at least.
    clear: cells from the plate within which nothing begins.
  """
  layout = _empty()
  top, left = rng.integers(1, N - side, 1)[0], rng.integers(1, N - side - 5, 1)[0]
  room = _cells(range(top, top + side), range(left, left + side))
  door_row, wall = int(rng.integers(top, top + side)), left + side
  first = int(rng.integers(max(1, door_row - 3), min(door_row, N - 5) + 1))
  chamber = _cells(range(first, first + 4), range(wall + 1, wall + 5))
  _carve(layout, room, ROOM)
  _carve(layout, chamber, CHAMBER)
  _carve(layout, [(door_row, wall)], DOOR)
  sides = [(row, column, (0, -1)) for row, column in room if column == left]
  sides += [(row, column, (0, 1)) for row, column in room if column == wall - 1]
  sides += [(row, column, (-1, 0)) for row, column in room if row == top]
  sides += [(row, column, (1, 0)) for row, column in room if row == top + side - 1]
  far = [s for s in sides if np.hypot(s[0] - door_row, s[1] - wall) >= apart]
  *plate, side_of = far[rng.integers(len(far))]
  gate = _plate(*plate, side_of, height, _door(door_row, wall))
  layout.gates.append(gate)
  layout.areas[0] = [
    (row, column)
    for row, column in room
    if (row, column) != (door_row, wall - 1)
    and np.hypot(column + 0.5 - gate.touch[0], row + 0.5 - gate.touch[1]) > clear
  ]
  row, column = chamber[rng.integers(len(chamber))]
  if column == wall + 1:
    column += 1
  layout.apple = np.array([column + 0.5, row + 0.5, 0])
  return layout


def _can_be_pushed(block: np.ndarray, recess: np.ndarray, others: set, room: set) -> bool:
  """Whether a block comes to a recess along one axis and then the other, and a body behind it."""
  for axis in (0, 1):
    first, second = (recess - block) * np.eye(2, dtype=int)[[axis, 1 - axis]]
    ahead, aside = np.sign(first), np.sign(second)
    corner = block + first
    way = [block + ahead * k for k in range(-1, abs(first.sum()) + 1)]
    way += [corner + aside * k for k in range(-1, abs(second.sum()) + 1)]
    cells = {(int(row), int(column)) for row, column in way}
    if first.any() and second.any() and cells <= room and not cells & others:
      return True
  return False


def _with_recess(layout: Layout, rng: np.random.Generator) -> Layout:
  """Puts a recess in the floor in place of the plate, and four blocks that can be pushed to it."""
  room = [(int(r), int(c)) for r, c in np.argwhere(layout.open & (layout.floor == ROOM))]
  door = layout.gates[0].door
  (top, left), (bottom, right) = np.min(room, 0), np.max(room, 0)
  inner = [(r, c) for r, c in room if top < r < bottom and left < c < right]
  while True:
    cells = [inner[k] for k in rng.choice(len(inner), 5, replace=False)]
    recess, blocks = cells[0], cells[1:]
    if all(
      _can_be_pushed(np.array(b), np.array(recess), set(blocks) - {b}, set(room)) for b in blocks
    ):
      break
  row, column = recess
  middle = np.array([column + 0.5, row + 0.5, 0])
  half = np.array([0.45, 0.45, 0])
  plate = np.stack([middle - half, middle + half + [0, 0, 0.02]])
  layout.gates = [Gate(door, plate, middle, np.zeros(2))]
  layout.floor[row, column] = RECESS
  layout.areas[1] = blocks
  layout.areas[0] = [cell for cell in room if cell not in inner]
  return layout


_DRAW: dict[str, Callable[[np.random.Generator], Layout]] = {
  "wall_sensor": functools.partial(_two_rooms, side=6, height=0.5, apart=2, clear=0.6),
  "wall_sensor_stack": functools.partial(_two_rooms, side=6, height=0.75, apart=5, clear=2.2),
  "push_blocks": lambda rng: _with_recess(_two_rooms(rng, 8, 0.5, 0.0, 0.0), rng),
}


def _turned(layout: Layout, symmetry: int) -> Layout:
  """One of the 8 mirrored and turned forms of a map."""

  def grid(cells: np.ndarray) -> np.ndarray:
    cells = cells.T if symmetry & 1 else cells
    cells = cells[:, ::-1] if symmetry & 2 else cells
    return cells[::-1] if symmetry & 4 else cells

  def point(at: np.ndarray, side: float = N) -> np.ndarray:
    at = np.array(at, float)
    at = at[..., [1, 0, *range(2, at.shape[-1])]] if symmetry & 1 else at
    if symmetry & 2:
      at[..., 0] = side - at[..., 0]
    if symmetry & 4:
      at[..., 1] = side - at[..., 1]
    return at

  def cell(at: tuple[int, int]) -> tuple[int, int]:
    column, row = point(np.array(at[::-1]), N - 1).astype(int)
    return int(row), int(column)

  def box(corners: np.ndarray) -> np.ndarray:
    corners = point(corners)
    return np.stack([corners.min(0), corners.max(0)])

  gates = [
    Gate(box(g.door), box(g.plate), point(g.touch), point(g.normal, 0)) for g in layout.gates
  ]
  areas = [[cell(at) for at in area] for area in layout.areas]
  grids = (grid(layout.open), grid(layout.void), grid(layout.floor))
  return Layout(*grids, areas, gates, point(layout.apple))


def draw(task: str, k: int) -> Layout:
  """Map k of a task, 0 to 39, from `default_rng(8000 + 100 task + k)`."""
  rng = np.random.default_rng(SEED + 100 * table.index(task) + k)
  layout = _turned(_DRAW[task](rng), int(rng.integers(8)))
  for area in layout.areas:
    rng.shuffle(area)
  return layout


@functools.cache
def load() -> Bank:
  """All maps."""
  layouts = [draw(task, k) for task in table.NAMES for k in range(MAPS)]
  count = len(layouts)
  cells = np.zeros((count, AREAS, LISTED), np.int32)
  listed = np.ones((count, AREAS), np.int32)
  door, plate = (np.zeros((count, table.GATES, 2, 3), np.float32) for _ in range(2))
  touch = np.zeros((count, table.GATES, 3), np.float32)
  normal = np.zeros((count, table.GATES, 2), np.float32)
  for i, layout in enumerate(layouts):
    for area, at in enumerate(layout.areas):
      cells[i, area, : len(at)] = [row * N + column for row, column in at]
      listed[i, area] = max(len(at), 1)
    for g, gate in enumerate(layout.gates):
      door[i, g], plate[i, g] = gate.door, gate.plate
      touch[i, g], normal[i, g] = gate.touch, gate.normal
  return Bank(
    np.stack([layout.open for layout in layouts]),
    np.stack([layout.void for layout in layouts]),
    np.stack([layout.floor for layout in layouts]).astype(np.uint8),
    cells,
    listed,
    door,
    plate,
    touch,
    normal,
    np.stack([layout.apple for layout in layouts]).astype(np.float32),
  )
