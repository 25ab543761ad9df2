"""The bank of maps: forty a level, thirty-two to train on and eight held out, made on first use.

Map k of level l, both from 0, is drawn by `default_rng(7000 + 100 (l + 1) + k)`. A cell is numbered
17 row + column.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from envs.first_person import patterns
from envs.first_person.labyrinth import layouts, looks, table
from envs.first_person.labyrinth.layouts import Cell, Plan
from envs.first_person.scene import N

TRAIN, HELD_OUT = 32, 8
MAPS = TRAIN + HELD_OUT
CELLS = 225
"""Cells of the longest list of a map: all within the border."""
FIXED, DOORS, ROOM_CELLS = 6, 16, 25
TREES, REGIONS = 4, 24
"""Spanning trees of a map whose doors shut, and regions of such a map at most."""
SPOTS = 16
"""Cells of a map of lasertag that opponents walk to."""
SHUT_LOOK = 64
"""Looks of walls from this number on are those of doors."""

KEY, HERRING, GOAL, START = 0, 3, 4, 5
"""Of `fixed`, with keys and doors: the first of three keys, what opens no door, goal and start."""
SHOWN, PAD, LEFT, RIGHT, HERE, THERE = range(6)
"""Of `fixed`, of the level that asks for what does not match; see `rules`."""
TRAP = 3
"""Of `door`, with keys and doors: the one that eats a key."""

WALL_COLOURS = ("stone", "slate", "wood", "tan", "grey", "moss")
WALL_LOOKS = [(p, looks.colour(c)) for p in range(len(patterns.NAMES)) for c in WALL_COLOURS]


class Bank(NamedTuple):
  """All maps; map k of level l is row 40 l + k.

  Attributes:
    open: where one can stand, bool [M, 17, 17]; doorways with doors are open.
    solid, void: see `scene.Scene`, uint32 [M, 17]; column c of a row is bit 31 - c.
    floor: number of a colour, uint8 [M, 17, 17].
    wall: row of `WALL_LOOKS`, or 64 + d for door d, uint8 [M, 17, 17].
    ceiling: number of a colour, uint8 [M].
    room: number of the room or corridor, int8 [M, 17, 17]; -1 in walls and doorways.
    height: of a path over a chasm, int8 [M, 17, 17], else 0.
    cells: where things and bodies begin, in a random order, int16 [M, 225].
    listed: how many they are, int16 [M].
    room_cells: the same of the first eight rooms, int16 [M, 8, 25], repeated; `room_count` [M, 8].
    fixed: cells of what does not move in a map, int16 [M, 6], -1 for none.
    door: cells that can be shut, int16 [M, 16], -1 for none.
    links: numbers of the two rooms or corridors that each door joins, int8 [M, 16, 2], -1 for none.
    variant: what else tells a map from others of its level, int8 [M].
  """

  open: np.ndarray
  solid: np.ndarray
  void: np.ndarray
  floor: np.ndarray
  wall: np.ndarray
  ceiling: np.ndarray
  room: np.ndarray
  height: np.ndarray
  cells: np.ndarray
  listed: np.ndarray
  room_cells: np.ndarray
  room_count: np.ndarray
  fixed: np.ndarray
  door: np.ndarray
  links: np.ndarray
  variant: np.ndarray


def _blank(rng: np.random.Generator, plan: Plan) -> Bank:
  """One map of a plan, with random looks of walls and floors, and nothing else in it."""
  row, column = np.mgrid[:N, :N]
  quadrant = row // 9 * 2 + column // 9
  floors = [looks.colour(name) for name in ("wood", "tan", "grey", "sand", "slate")]
  room, corridor = rng.choice(floors, 2, replace=False)
  in_room = (plan.region >= 0) & (plan.region < plan.rooms)
  return Bank(
    open=plan.free,
    solid=~plan.free,
    void=np.zeros((N, N), bool),
    floor=np.where(in_room, room, corridor),
    wall=rng.integers(len(WALL_LOOKS), size=4)[quadrant],
    ceiling=np.asarray(looks.colour(rng.choice(["grey", "night", "slate"]))),
    room=plan.region,
    height=np.zeros((N, N), int),
    cells=_listed(rng, plan.region >= 0, CELLS),
    listed=np.asarray((plan.region >= 0).sum()),
    room_cells=np.stack([_listed(rng, plan.region == r, ROOM_CELLS) for r in range(looks.ROOMS)]),
    room_count=np.array([max((plan.region == r).sum(), 1) for r in range(looks.ROOMS)]),
    fixed=np.full(FIXED, -1),
    door=np.full(DOORS, -1),
    links=np.full((DOORS, 2), -1),
    variant=np.asarray(0),
  )


def _listed(rng: np.random.Generator, cells: np.ndarray, length: int) -> np.ndarray:
  """Cells in a random order, repeated or cut to a length."""
  found = rng.permutation(np.flatnonzero(cells))
  return np.resize(found, length) if len(found) else np.zeros(length, int)


def number(cell: Cell) -> int:
  """The number of a cell (row, column)."""
  return int(cell[0]) * N + int(cell[1])


def _with_doors(world: Bank, cells: list[Cell]) -> Bank:
  """Doors in some cells, which have a look of their own."""
  door, wall = world.door.copy(), world.wall.copy()
  for d, cell in enumerate(cells):
    door[d], wall[cell] = number(cell), SHUT_LOOK + d
  return world._replace(door=door, wall=wall)


def _hall(rng: np.random.Generator, k: int, height: int, width: int) -> Bank:
  return _blank(rng, layouts.hall(height, width))


def _collect(rng: np.random.Generator, k: int) -> Bank:
  """Theme and kinds go together: of the four pairs one is held out (`variant` 3)."""
  variant = k % 3 if k < TRAIN else 3
  world = _blank(rng, layouts.hall(10, 9))
  theme = {0: ("wood", "bricks"), 1: ("wood", "bricks")}.get(variant, ("slate", "panels"))
  look = WALL_LOOKS.index((patterns.row(theme[1]), looks.colour("tan")))
  return world._replace(
    floor=np.full_like(world.floor, looks.colour(theme[0])),
    wall=np.full_like(world.wall, look),
    variant=np.asarray(variant),
  )


def _outdoor(rng: np.random.Generator, k: int, side: int, fixed: bool = False) -> Bank:
  if fixed:
    rng = np.random.default_rng(7000 + 100 * (table.FIXED_MAP + 1))
  world = _blank(rng, layouts.outdoor(rng, side))
  look = WALL_LOOKS.index((patterns.row("dots"), looks.colour("stone")))
  ground = rng.choice([looks.colour("grass"), looks.colour("moss")], (N, N), p=(0.85, 0.15))
  return world._replace(
    floor=ground,
    wall=np.full_like(world.wall, look),
    ceiling=np.asarray(looks.colour("sky")),
  )


def _rooms(rng: np.random.Generator, k: int, side: int, count: int, low: int, high: int) -> Bank:
  return _blank(rng, layouts.rooms(rng, side, count, low, high))


def _obstructed(
  rng: np.random.Generator, k: int, side: int, count: int, low: int, high: int
) -> Bank:
  """A door in every doorway, and more doorways than rooms need."""
  world = _blank(rng, plan := _obstructed_plan(rng, side, count, low, high))
  links = world.links.copy()
  links[: len(plan.doorways)] = [(a, b) for _, a, b in plan.doorways]
  return _with_doors(world, [cell for cell, _, _ in plan.doorways])._replace(links=links)


def _obstructed_plan(rng: np.random.Generator, side: int, count: int, low: int, high: int) -> Plan:
  while True:
    plan = layouts.rooms(rng, side, count, low, high, loops=4)
    if len(plan.doorways) <= DOORS and plan.region.max() < REGIONS:
      return plan


def _arena(rng: np.random.Generator, k: int) -> Bank:
  return _blank(rng, layouts.arena(5.8))


def _sky(rng: np.random.Generator, k: int, hard: bool) -> Bank:
  difficulty = 0.9 if hard else rng.random()
  side, paths = 4 + round(6 * difficulty), 1 + round(7 * difficulty)
  height, start, goal, _ = layouts.falling_paths(rng, side, paths)
  free = height >= 0
  world = _blank(rng, Plan(free, np.where(free, 0, -1), 1, []))
  inside = layouts.hall(side, side).free
  fixed = world.fixed.copy()
  fixed[[GOAL, START]] = number(goal), number(start)
  return world._replace(
    solid=~inside,
    void=inside & ~free,
    floor=np.where(free, looks.HEIGHT + np.maximum(height, 0), looks.colour("black")),
    ceiling=np.asarray(looks.colour("sky")),
    height=np.maximum(height, 0),
    fixed=fixed,
  )


def _located(rng: np.random.Generator, k: int) -> Bank:
  """Two, four or six rooms, whose floors have the colours that an episode draws."""
  rows, columns = ((1, 2), (2, 2), (2, 3))[k % 3]
  world = _blank(rng, plan := layouts.lattice(rng, rows, columns, 4, None))
  kept = np.where(_before_doorways(plan), -1, plan.region)
  lists = [_listed(rng, kept == r, ROOM_CELLS) for r in range(looks.ROOMS)]
  counts = [max((kept == r).sum(), 1) for r in range(looks.ROOMS)]
  world = world._replace(room_cells=np.stack(lists), room_count=np.array(counts))
  floor = np.where(world.room >= 0, looks.ROOM + world.room, looks.colour("grey"))
  return world._replace(floor=floor, variant=np.asarray(rows * columns))


def _before_doorways(plan: Plan) -> np.ndarray:
  """Cells next to a doorway, bool [N, N]: nothing lies there that one may have to pass."""
  before = np.zeros((N, N), bool)
  for (row, column), _, _ in plan.doorways:
    for down, right in layouts.STEPS:
      before[row + down, column + right] = True
  return before


def _deferred(rng: np.random.Generator, k: int) -> Bank:
  """Two rooms with a door between, but for variant 0, which is one; 3 is held out."""
  variant = k % 3 if k < TRAIN else 3
  plan = layouts.lattice(rng, 1, 1 if variant == 0 else 2, 5, None)
  world = _blank(rng, plan)
  world = world._replace(floor=np.full_like(world.floor, looks.SWITCH), variant=np.asarray(variant))
  return _with_doors(world, [cell for cell, _, _ in plan.doorways])


def _nonmatching(rng: np.random.Generator, k: int) -> Bank:
  """A cell with a window behind which a thing is shown, and a room apart from it with two."""
  free = np.zeros((N, N), bool)
  shift = int(rng.integers(4))
  free[3:8, 1 + shift : 6 + shift] = free[10:15, 9 - shift : 14 - shift] = True
  shown = (2, 3 + shift)
  void = np.zeros((N, N), bool)
  void[shown] = True
  region = np.where(free, np.where(np.arange(N)[:, None] < 9, 0, 1), -1)
  world = _blank(rng, Plan(free, region, 2, []))
  pad = (7, (1 if rng.random() < 0.5 else 5) + shift)
  cells = [shown, pad, (11, 10 - shift), (11, 12 - shift), (6, 3 + shift), (14, 11 - shift)]
  floor = world.floor.copy()
  floor[shown] = looks.colour("white")
  return world._replace(
    solid=~(free | void), void=void, floor=floor, fixed=np.array([number(c) for c in cells])
  )


def _keys(rng: np.random.Generator, k: int) -> Bank:
  """A chain of one to three doors to the goal, each key behind the door before it.

  The door of a trap room has the colour of a key that is needed (`variant`), and one key, the
  herring, opens nothing.
  """
  while True:
    plan = layouts.lattice(rng, 3, 3, 3, None)
    start, goal = rng.choice(9, 2, replace=False)
    links = [(a, b) for _, a, b in plan.doorways]
    way = _way(links, int(start), int(goal))
    length = 1 + k % 3
    degree = np.bincount(np.ravel(links), minlength=9)
    leaves = [r for r in range(9) if degree[r] == 1 and r not in (start, goal)]
    if len(way) < length or not leaves:
      continue
    chain = sorted(rng.choice(len(way), length, replace=False).tolist())
    locked = [way[i] for i in chain]
    trap = int(rng.choice(leaves))
    entrance = next(i for i, link in enumerate(links) if trap in link)
    part = _parts(links, [*locked, entrance], int(start))
    beside = part[sum(links[entrance]) - trap]
    if beside < length:
      break
  world = _with_doors(_blank(rng, plan), [plan.doorways[i][0] for i in locked])
  door, wall = world.door.copy(), world.wall.copy()
  trap_cell = plan.doorways[entrance][0]
  door[TRAP], wall[trap_cell] = number(trap_cell), SHUT_LOOK + TRAP
  taken: list[int] = []

  def place(rooms: list[int]) -> int:
    there = np.isin(plan.region, rooms) & ~_before_doorways(plan)
    free = np.setdiff1d(np.flatnonzero(there), taken)
    taken.append(int(rng.choice(free)))
    return taken[-1]

  fixed = world.fixed.copy()
  fixed[START], fixed[GOAL] = place([int(start)]), place([int(goal)])
  for i in range(length):
    fixed[KEY + i] = place([r for r in range(9) if part[r] == i])
  fixed[HERRING] = place([r for r in range(9) if part[r] == 0])
  variant = np.asarray(rng.integers(beside, length))
  return world._replace(door=door, wall=wall, fixed=fixed, variant=variant)


def _way(links: list[tuple[int, int]], start: int, goal: int) -> list[int]:
  """The links of a tree, by their index, that lead from one room to another."""

  def search(room: int, before: int) -> list[int] | None:
    if room == goal:
      return []
    for i, link in enumerate(links):
      if room in link and i != before:
        rest = search(sum(link) - room, i)
        if rest is not None:
          return [i, *rest]
    return None

  return search(start, -1) or []


def _parts(links: list[tuple[int, int]], locked: list[int], start: int) -> list[int]:
  """How many locked doors lead to each of nine rooms; -1 in the trap, whose door is the last."""
  part = []
  for room in range(9):
    way = _way(links, start, room)
    part.append(-1 if locked[-1] in way else sum(i in way for i in locked))
  return part


def _laboratory(rng: np.random.Generator, k: int) -> Bank:
  world = _blank(rng, layouts.hall(15, 15))
  look = WALL_LOOKS.index((patterns.row("plain"), looks.colour("grey")))
  return world._replace(
    floor=np.full_like(world.floor, looks.colour("grey")),
    wall=np.full_like(world.wall, look),
    ceiling=np.asarray(looks.colour("white")),
  )


_SMALL = {"side": 11, "count": 4, "low": 3, "high": 5}
_LARGE = {"side": 17, "count": 9, "low": 3, "high": 3}
_COURT = {"side": 11, "count": 3, "low": 3, "high": 5}
_COURTS = {"side": 17, "count": 4, "low": 5, "high": 7}
_MAKERS: list[tuple[Callable[..., Bank], dict[str, Any]]] = [
  (_collect, {}),
  (_deferred, {}),
  (_nonmatching, {}),
  (_arena, {}),
  (_keys, {}),
  (_hall, {"height": 5, "width": 5}),
  (_located, {}),
  (_hall, {"height": 9, "width": 9}),
  (_hall, {"height": 9, "width": 9}),
  (_rooms, _COURT),
  (_rooms, _COURT),
  (_rooms, _COURTS),
  (_rooms, _COURTS),
  (_outdoor, {"side": 15, "fixed": True}),
  (_outdoor, {"side": 11}),
  (_outdoor, {"side": 15}),
  (_sky, {"hard": True}),
  (_sky, {"hard": False}),
  *[(_laboratory, {})] * 4,
  (_rooms, _SMALL),
  (_rooms, _LARGE),
  (_obstructed, _SMALL),
  (_obstructed, _LARGE),
  (_rooms, _SMALL),
  (_rooms, _LARGE),
  (_hall, {"height": 11, "width": 11}),
  (_hall, {"height": 11, "width": 11}),
]
"""What makes a map of each level."""
_DTYPES = {
  "open": bool,
  "solid": np.uint32,
  "void": np.uint32,
  **dict.fromkeys(("floor", "wall", "ceiling"), np.uint8),
  **dict.fromkeys(("room", "height", "links", "variant"), np.int8),
}
"""Of the bank's columns; the others are int16."""


def draw(level: int, k: int) -> Bank:
  """Map k of a level, both from 0."""
  make, size = _MAKERS[level]
  return make(np.random.default_rng(7000 + 100 * (level + 1) + k), k, **size)


@functools.cache
def load() -> Bank:
  """All maps, made once for a process."""
  worlds = [draw(level, k) for level in range(table.COUNT) for k in range(MAPS)]
  columns = Bank(*(np.stack(column) for column in zip(*worlds, strict=True)))
  columns = columns._replace(solid=_bits(columns.solid), void=_bits(columns.void))
  dtypes = [_DTYPES.get(name, np.int16) for name in Bank._fields]
  return Bank(*(x.astype(dtype) for x, dtype in zip(columns, dtypes, strict=True)))


def _bits(cells: np.ndarray) -> np.ndarray:
  column = np.uint32(1) << (31 - np.arange(N, dtype=np.uint32))
  return (cells * column).sum(-1, dtype=np.uint32)
