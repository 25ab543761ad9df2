"""What maps are drawn from: rooms, doors, plates, things; and how a map is turned."""

from __future__ import annotations

import dataclasses

import numpy as np

from envs.first_person.hard_eight import kinds
from envs.first_person.scene import N

PLATE = 0.6
"""Cells a side of a plate."""
Cell = tuple[int, int]
"""Row and column."""
SIDES: tuple[Cell, ...] = ((0, 1), (0, -1), (1, 0), (-1, 0))


@dataclasses.dataclass
class Gate:
  """A door and what opens it.

  Attributes:
    door: its corners (x, y, z), float [2, 3].
    opened_by: one of `kinds.LATCH` and so on.
    plate: the plate's corners, float [2, 3].
    touch: middle of the plate, float [3].
    normal: where it faces, float [2]; 0 for what lies on the floor.
    match: whether it is opened by things of the colour of the first thing only.
    span: cells of the chasm that it leads over when it is open.
  """

  door: np.ndarray
  opened_by: int
  plate: np.ndarray
  touch: np.ndarray
  normal: np.ndarray
  match: bool = False
  span: list[Cell] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Thing:
  """A thing that can be moved: its kind, cells a side and high, the area that it begins in and the
  height of its foot there."""

  kind: int
  width: float
  height: float
  area: int
  base: float = 0.0


@dataclasses.dataclass
class Layout:
  """One map.

  Attributes:
    open, void: cells, bool [17, 17].
    floor: its kinds, int [17, 17].
    areas: cells that the agent (area 0) and the things may begin in.
    things, gates: what there is; of things of several colours, the first has the plates'.
    fixed: corners of boxes that nothing moves, float [2, 3] each.
    apple: place of the apple's foot, float [3].
    marks: places that the oracle knows, float [3] each.
  """

  open: np.ndarray
  void: np.ndarray
  floor: np.ndarray
  areas: list[list[Cell]]
  things: list[Thing]
  gates: list[Gate]
  fixed: list[np.ndarray]
  apple: np.ndarray
  marks: list[np.ndarray]

  def carve(self, cells: list[Cell], floor: int = kinds.ROOM) -> None:
    """Opens cells, with a kind of floor."""
    for cell in cells:
      self.open[cell], self.floor[cell] = True, floor
      self.void[cell] = floor == kinds.CHASM


def empty(areas: int) -> Layout:
  """A map of walls alone, with so many areas."""
  grid = np.zeros((N, N), bool)
  floor = np.zeros((N, N), int)
  return Layout(grid, grid.copy(), floor, [[] for _ in range(areas)], [], [], [], np.zeros(3), [])


def cells_of(layout: Layout, floor: int) -> list[Cell]:
  """The open cells with a kind of floor."""
  found = np.argwhere(layout.open & (layout.floor == floor))
  return [(int(row), int(column)) for row, column in found]


def inner(cells: list[Cell], margin: int) -> list[Cell]:
  """Those of a rectangle's cells that are so far from its border."""
  (top, left), (bottom, right) = np.min(cells, 0) + margin, np.max(cells, 0) - margin
  return [cell for cell in cells if top <= cell[0] <= bottom and left <= cell[1] <= right]


def block_of(row: int, column: int, rows: int, columns: int) -> list[Cell]:
  """The cells of a rectangle, by its first one."""
  return [(r, c) for r in range(row, row + rows) for c in range(column, column + columns)]


def door_at(row: int, column: int) -> np.ndarray:
  """A door that fills a cell."""
  return np.array([[column, row, 0], [column + 1, row + 1, 1.0]])


def centre(cell: Cell, z: float = 0.0) -> np.ndarray:
  """The middle of a cell, (x, y, z)."""
  return np.array([cell[1] + 0.5, cell[0] + 0.5, z])


def with_plate(
  door: np.ndarray,
  opened_by: int,
  cell: Cell,
  side: Cell,
  height: float = 0.5,
  match: bool = False,
  out: float = 0.5,
) -> Gate:
  """A gate whose plate is on the wall at the side (down, right) of a cell, at a height; `out` is
  how far from the cell's middle."""
  down, right = side
  touch = centre(cell, height) + out * np.array([right, down, 0])
  half = np.array([0.04 if right else PLATE / 2, 0.04 if down else PLATE / 2, PLATE / 2])
  plate = np.stack([touch - half, touch + half])
  plate[:, 2] = np.clip(plate[:, 2], 0, 1)
  return Gate(door, opened_by, plate, touch, np.array([-right, -down], float), match)


def walls_of(cells: list[Cell], open_cells: np.ndarray) -> list[tuple[Cell, Cell]]:
  """The walls beside cells: (cell, side)."""
  return [
    (cell, side)
    for cell in cells
    for side in SIDES
    if not open_cells[cell[0] + side[0], cell[1] + side[1]]
  ]


def two_rooms(
  rng: np.random.Generator,
  side: int,
  opened_by: int,
  height: float = 0.5,
  apart: float = 2.0,
  clear: float = 0.6,
  match: bool = False,
) -> Layout:
  """A room, a door in its east wall to a chamber of 4 x 4 with the apple, a plate on a wall.

  Args:
    rng: draws it.
    side: cells of the room.
    opened_by: kind of the gate.
    height: of the plate's middle.
    apart: cells between door and plate, at least.
    clear: cells from the plate within which nothing begins.
    match: whether the plate is of the first thing's colour.
  """
  layout = empty(1)
  top, left = int(rng.integers(1, N - side)), int(rng.integers(1, N - side - 5))
  room = block_of(top, left, side, side)
  door, wall = int(rng.integers(top, top + side)), left + side
  first = int(rng.integers(max(1, door - 3), min(door, N - 5) + 1))
  layout.carve(room)
  far = [
    (cell, at)
    for cell, at in walls_of(room, layout.open)
    if np.hypot(cell[0] - door, cell[1] - wall) >= apart
    and (cell, at) != ((door, wall - 1), (0, 1))
  ]
  chamber = block_of(first, wall + 1, 4, 4)
  layout.carve(chamber, kinds.CHAMBER)
  layout.carve([(door, wall)], kinds.DOOR)
  cell, at = far[rng.integers(len(far))]
  gate = with_plate(door_at(door, wall), opened_by, cell, at, height, match)
  layout.gates.append(gate)
  layout.areas[0] = [
    cell
    for cell in room
    if cell != (door, wall - 1) and np.hypot(*(centre(cell) - gate.touch)[:2]) > clear
  ]
  row, column = chamber[rng.integers(len(chamber))]
  layout.apple = centre((row, max(column, wall + 2)))
  return layout


def turned(layout: Layout, symmetry: int) -> Layout:
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

  def cell(at: Cell) -> Cell:
    column, row = point(np.array(at[::-1]), N - 1).astype(int)
    return int(row), int(column)

  def box(corners: np.ndarray) -> np.ndarray:
    corners = point(corners)
    return np.stack([corners.min(0), corners.max(0)])

  gates = [
    dataclasses.replace(
      gate,
      door=box(gate.door),
      plate=box(gate.plate),
      touch=point(gate.touch),
      normal=point(gate.normal, 0),
      span=[cell(at) for at in gate.span],
    )
    for gate in layout.gates
  ]
  return dataclasses.replace(
    layout,
    open=grid(layout.open),
    void=grid(layout.void),
    floor=grid(layout.floor),
    areas=[[cell(at) for at in area] for area in layout.areas],
    gates=gates,
    fixed=[box(corners) for corners in layout.fixed],
    apple=point(layout.apple),
    marks=[point(at) for at in layout.marks],
  )
