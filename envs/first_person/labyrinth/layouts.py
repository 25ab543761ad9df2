"""Draws the floor plans of the labyrinth's maps with NumPy: rooms, mazes, arenas, falling paths.

A plan has N rows and columns; what lies outside the side that was asked for is wall.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envs.first_person.scene import N

STEPS = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])
"""(row, column) of the neighbours to the north, east, south and west."""

Cell = tuple[int, int]


class Plan(NamedTuple):
  """A floor plan.

  Attributes:
    free: where one can stand, bool [N, N].
    region: number of the room or corridor, int [N, N]; -1 in walls and doorways.
    rooms: how many of the regions, the first ones, are rooms.
    doorways: cells between two regions, and the regions.
  """

  free: np.ndarray
  region: np.ndarray
  rooms: int
  doorways: list[tuple[Cell, int, int]]


class _Sets:
  """Which regions are joined (union-find)."""

  def __init__(self, count: int):
    self.parent = list(range(count))

  def find(self, one: int) -> int:
    while self.parent[one] != one:
      one = self.parent[one]
    return one

  def join(self, one: int, other: int) -> bool:
    """Joins two sets; whether they were apart."""
    one, other = self.find(one), self.find(other)
    self.parent[other] = one
    return one != other


def hall(height: int, width: int) -> Plan:
  """One room."""
  free = np.zeros((N, N), bool)
  free[1 : 1 + height, 1 : 1 + width] = True
  return Plan(free, np.where(free, 0, -1), 1, [])


def arena(radius: float) -> Plan:
  """A round room in the middle of the map."""
  row, column = np.mgrid[:N, :N] + 0.5
  free = np.hypot(row - N / 2, column - N / 2) < radius
  return Plan(free, np.where(free, 0, -1), 1, [])


def outdoor(rng: np.random.Generator, side: int, rocks: float = 0.12) -> Plan:
  """A square field of `side` cells with rocks, whose open cells hang together."""
  while True:
    free = hall(side, side).free & (rng.random((N, N)) >= rocks)
    first = tuple(np.argwhere(free)[0])
    if (distances(free, [first]) >= 0).sum() == free.sum():
      return Plan(free, np.where(free, 0, -1), 1, [])


def rooms(
  rng: np.random.Generator, side: int, count: int, low: int, high: int, loops: int = 0
) -> Plan:
  """Disjoint rooms of odd sides at odd places, and a maze where there is none of them.

  Regions are joined to a spanning tree by one doorway a link, and then by `loops` more.
  """
  region = _place_rooms(rng, side, count, low, high)
  regions = count
  for start in np.argwhere(region == -1):
    if (start % 2 == 1).all() and (start < side - 1).all() and region[tuple(start)] == -1:
      _carve(rng, region, side, (int(start[0]), int(start[1])), regions)
      regions += 1
  joints = _joints(region)
  rng.shuffle(joints)
  sets = _Sets(regions)
  doorways: list[tuple[Cell, int, int]] = []
  spare: list[tuple[Cell, int, int]] = []
  for joint in joints:
    (doorways if sets.join(joint[1], joint[2]) else spare).append(joint)
  for joint in spare:
    if loops and all(np.abs(np.subtract(joint[0], other[0])).sum() > 1 for other in doorways):
      doorways.append(joint)
      loops -= 1
  free = region >= 0
  for cell, _, _ in doorways:
    free[cell] = True
  return Plan(free, region, count, doorways)


def _place_rooms(
  rng: np.random.Generator, side: int, count: int, low: int, high: int
) -> np.ndarray:
  sizes = np.arange(low, high + 1, 2)
  while True:
    region, placed = np.full((N, N), -1), 0
    for _ in range(50 * count):
      height, width = rng.choice(sizes, 2)
      row = 1 + 2 * rng.integers((side - height) // 2)
      column = 1 + 2 * rng.integers((side - width) // 2)
      part = region[row : row + height, column : column + width]
      if (part == -1).all():
        part[:] = placed
        placed += 1
        if placed == count:
          return region


def _carve(
  rng: np.random.Generator, region: np.ndarray, side: int, start: Cell, number: int
) -> None:
  """Carves a maze on the odd cells that are still wall, depth first."""
  region[start] = number
  stack = [start]
  while stack:
    row, column = stack[-1]
    ahead = [
      (row + 2 * down, column + 2 * right)
      for down, right in STEPS.tolist()
      if 0 < row + 2 * down < side - 1
      and 0 < column + 2 * right < side - 1
      and region[row + 2 * down, column + 2 * right] == -1
    ]
    if not ahead:
      stack.pop()
      continue
    to = ahead[rng.integers(len(ahead))]
    region[(row + to[0]) // 2, (column + to[1]) // 2] = region[to] = number
    stack.append(to)


def _joints(region: np.ndarray) -> list[tuple[Cell, int, int]]:
  """The walls of one cell between two regions."""
  found = []
  for row, column in np.argwhere(region[1:-1, 1:-1] == -1) + 1:
    for one, other in (
      (region[row - 1, column], region[row + 1, column]),
      (region[row, column - 1], region[row, column + 1]),
    ):
      if one >= 0 and other >= 0 and one != other:
        found.append(((int(row), int(column)), int(one), int(other)))
  return found


def lattice(
  rng: np.random.Generator, rows: int, columns: int, room: int, links: list[tuple[int, int]] | None
) -> Plan:
  """Rooms of `room` cells a side in rows and columns, with a doorway for each link.

  Args:
    rng: draws where in a wall a doorway is, and, without links, a spanning tree of them.
    rows, columns: of rooms; room r * columns + c is in row r and column c.
    room: cells a side.
    links: pairs of neighbouring rooms; None for a spanning tree.
  """
  pitch, count = room + 1, rows * columns
  region = np.full((N, N), -1)
  for one in range(count):
    row, column = 1 + one // columns * pitch, 1 + one % columns * pitch
    region[row : row + room, column : column + room] = one
  if links is None:
    pairs = [(a, b) for a in range(count) for b in range(a) if _beside(a, b, columns)]
    rng.shuffle(pairs)
    sets = _Sets(count)
    links = [(a, b) for a, b in pairs if sets.join(a, b)]
  joints, doorways = _joints(region), []
  for a, b in links:
    between = [joint for joint in joints if {joint[1], joint[2]} == {a, b}]
    cell = between[rng.integers(len(between))][0]
    doorways.append((cell, a, b))
  free = region >= 0
  for cell, _, _ in doorways:
    free[cell] = True
  return Plan(free, region, count, doorways)


def _beside(a: int, b: int, columns: int) -> bool:
  row, column = np.abs(np.subtract(divmod(a, columns), divmod(b, columns)))
  return bool(row + column == 1)


def distances(free: np.ndarray, targets: list[Cell]) -> np.ndarray:
  """Steps from each cell to the nearest target over free neighbours, int [N, N]; -1 for none."""
  steps = np.full(free.shape, -1)
  reached = np.zeros_like(free)
  for cell in targets:
    reached[cell] = True
  front, count = reached.copy(), 0
  while front.any():
    steps[front] = count
    wider = front.copy()
    wider[1:] |= front[:-1]
    wider[:-1] |= front[1:]
    wider[:, 1:] |= front[:, :-1]
    wider[:, :-1] |= front[:, 1:]
    front = wider & free & ~reached
    reached |= front
    count += 1
  return steps


def falling_paths(
  rng: np.random.Generator, side: int, paths: int
) -> tuple[np.ndarray, Cell, Cell, list[Cell]]:
  """Paths over a chasm that only lead down: one to the goal, others to dead ends.

  Returns:
    Height of each cell, int [N, N], -1 for the chasm; the start, the goal, the way to it.
  """
  while True:
    height = np.full((N, N), -1)
    start: Cell = (1 + int(rng.integers(side)), 1 + int(rng.integers(side)))
    way = _wander(rng, height, side, start, 3 * side)
    if len(way) >= side:
      break
  goal = way[-1]
  # A path falls by 0 to 2 a cell, and ends at 0 or above.
  falls = rng.integers(0, 3, len(way))
  falls[0] = 0
  height[tuple(np.transpose(way))] = int(falls.sum()) + 2 - np.cumsum(falls)
  taken = list(way[:-1])
  for _ in range(paths - 1):
    begin = taken[rng.integers(len(taken))]
    branch = _wander(rng, height, side, begin, 2 * side)[1:]
    level = int(height[begin])
    for cell in branch:
      level = max(level - int(rng.integers(0, 3)), 0)
      height[cell] = level
    taken += branch
  return height, start, goal, way


def _wander(
  rng: np.random.Generator, height: np.ndarray, side: int, start: Cell, longest: int
) -> list[Cell]:
  """A path over cells that none has taken, and that touches none but where it begins."""
  way = [start]
  while len(way) < longest:
    row, column = way[-1]
    ahead = []
    for down, right in STEPS.tolist():
      cell = row + down, column + right
      if not (1 <= cell[0] <= side and 1 <= cell[1] <= side) or height[cell] >= 0 or cell in way:
        continue
      around = [(cell[0] + d, cell[1] + r) for d, r in STEPS.tolist()]
      if all(other == way[-1] or (height[other] < 0 and other not in way) for other in around):
        ahead.append(cell)
    if not ahead:
      break
    way.append(ahead[rng.integers(len(ahead))])
  return way
