"""Three of MiniGrid's tasks that XLand-MiniGrid lacks, built of its tiles: rooms behind doors.

KeyCorridor, MultiRoom and ObstructedMaze are MiniGrid's (Chevalier-Boisvert et al. 2023, arXiv
2306.13831) with these differences. MultiRoom: the rooms are a path through a lattice of rooms that
all have the greatest size, where MiniGrid draws places and sizes. ObstructedMaze: the library has
no boxes, so a square is one, in the colour of its key, where MiniGrid's are grey.

Rooms of R rows and C columns share walls; room r * C + c is the one in row r and column c. A door
lies between two neighbouring rooms, an "edge".
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from xminigrid.core.constants import DIRECTIONS, Colors, Tiles
from xminigrid.core.goals import AgentHoldGoal, AgentOnTileGoal, BaseGoal
from xminigrid.core.grid import sample_coordinates, sample_direction
from xminigrid.core.rules import EmptyRule
from xminigrid.environment import Environment, EnvParams
from xminigrid.types import AgentState, EnvCarry, State, TimeStep

TOGGLE = 5
COLOURS = np.array(
  [Colors.RED, Colors.GREEN, Colors.BLUE, Colors.PURPLE, Colors.YELLOW, Colors.GREY], np.uint8
)
"""MiniGrid's six, of doors, keys and balls."""
LEAVE = Tiles.EMPTY
"""In place of a door: nothing is put there."""


def _tiles(kind: Any, colour: Any) -> jax.Array:
  """Returns tiles, uint8 [..., 2]."""
  pair = jnp.broadcast_arrays(jnp.asarray(kind, jnp.uint8), jnp.asarray(colour, jnp.uint8))
  return jnp.stack(pair, -1)


class RoomGrid(Environment):
  """Rooms, and what the tasks put into them.

  Attributes:
    room_of_cell: int32 [H, W], -1 for walls.
    ends: int [E, 2], the two rooms of each edge.
    cells: int [E, side - 2, 2], where the door of an edge can be.
    grid: uint8 [H, W, 2], floor and walls.
  """

  def __init__(self, rows: int, columns: int, side: int, max_steps: int):
    """Lays out rooms of `side` cells, their walls included."""
    pitch = side - 1
    row, column = np.indices((rows * pitch + 1, columns * pitch + 1))
    wall = (row % pitch == 0) | (column % pitch == 0)
    room = row // pitch * columns + column // pitch
    self.room_of_cell = np.where(wall, -1, room).astype(np.int32)
    floor, grey = (Tiles.FLOOR, Colors.BLACK), (Tiles.WALL, Colors.GREY)
    self.grid = np.where(wall[..., None], grey, floor).astype(np.uint8)
    along = np.arange(1, pitch)
    ends, cells = [], []
    for r, c in np.ndindex(rows, columns):
      here = r * columns + c
      if c + 1 < columns:
        ends.append((here, here + 1))
        cells.append(np.stack([r * pitch + along, np.full_like(along, (c + 1) * pitch)], -1))
      if r + 1 < rows:
        ends.append((here, here + columns))
        cells.append(np.stack([np.full_like(along, (r + 1) * pitch), c * pitch + along], -1))
    self.ends, self.cells = np.array(ends), np.array(cells)
    self.columns = columns
    self._max_steps = max_steps

  def default_params(self, **kwargs: Any) -> EnvParams:
    height, width = self.room_of_cell.shape
    return EnvParams(height=height, width=width, max_steps=self._max_steps).replace(**kwargs)

  def edge(self, room: int, other: int) -> int:
    """Returns the edge between two rooms."""
    return int(np.flatnonzero((self.ends == sorted((room, other))).all(-1))[0])

  def add_doors(self, key: jax.Array, doors: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the grid with `doors`, tiles [E, 2], anywhere on their edges, and their cells."""
    edges = np.arange(len(self.ends))
    at = jnp.asarray(self.cells)[edges, jax.random.randint(key, edges.shape, 0, self.side - 2)]
    grid = jnp.asarray(self.grid)
    old = grid[at[:, 0], at[:, 1]]
    new = jnp.where(doors[:, :1] == LEAVE, old, doors)
    return grid.at[at[:, 0], at[:, 1]].set(new), at

  @property
  def side(self) -> int:
    return self.cells.shape[1] + 2

  def put(self, key: jax.Array, grid: jax.Array, room: Any, thing: jax.Array) -> jax.Array:
    """Returns the grid with a tile on a free cell of a room."""
    return grid.at[self._free(key, grid, room)].set(thing)

  def _free(self, key: jax.Array, grid: jax.Array, room: Any) -> tuple[jax.Array, ...]:
    return tuple(sample_coordinates(key, grid, 1, jnp.asarray(self.room_of_cell) == room)[0])

  def start(self, key: jax.Array, grid: jax.Array, room: Any, goal: BaseGoal) -> State:
    """Returns the state of an episode that begins in a room."""
    key, place_key, direction_key = jax.random.split(key, 3)
    position = jnp.stack(self._free(place_key, grid, room))
    return State(
      key=key,
      step_num=jnp.int32(0),
      grid=grid,
      agent=AgentState(position=position, direction=sample_direction(direction_key)),
      goal_encoding=goal.encode(),
      rule_encoding=EmptyRule().encode()[None],
      carry=EnvCarry(),
    )


class KeyCorridor(RoomGrid):
  """A ball in a locked room to the right, its key in a room to the left, a corridor between."""

  def __init__(self, side: int, rows: int):
    super().__init__(rows, 3, side, max_steps=30 * side**2)
    self.rows = rows
    self.corridor = (self.ends % 3 == 1).all(-1)
    opened = self.cells[self.corridor].reshape(-1, 2)
    self.grid[opened[:, 0], opened[:, 1]] = Tiles.FLOOR, Colors.BLACK

  def _generate_problem(self, params: EnvParams, key: jax.Array) -> State:
    keys = jax.random.split(key, 8)
    row, key_row = jax.random.randint(keys[0], (2,), 0, self.rows)
    locked_room = 3 * row + 2
    locked = (self.ends == jnp.stack([locked_room - 1, locked_room])).all(-1)
    closed = self._connect(keys[1], locked_room)
    colours = jax.random.choice(keys[2], COLOURS, (len(self.ends) + 1,))
    kinds = jnp.where(locked, Tiles.DOOR_LOCKED, jnp.where(closed, Tiles.DOOR_CLOSED, LEAVE))
    grid, _ = self.add_doors(keys[3], _tiles(kinds, colours[:-1]))
    ball = _tiles(Tiles.BALL, colours[-1])
    grid = self.put(keys[4], grid, locked_room, ball)
    grid = self.put(keys[5], grid, 3 * key_row, _tiles(Tiles.KEY, colours[jnp.argmax(locked)]))
    return self.start(keys[6], grid, 3 * (self.rows // 2) + 1, AgentHoldGoal(ball))

  def _connect(self, key: jax.Array, locked_room: jax.Array) -> jax.Array:
    """Adds doors at random until all rooms are connected, none to the locked room: bool [E]."""
    ends = jnp.asarray(self.ends)
    barred = (ends == locked_room).any(-1) | self.corridor
    rooms = jnp.arange(3 * self.rows)
    # Rooms of one number are connected; the corridor and the locked room are to begin with.
    number = jnp.where((rooms % 3 == 1) | (rooms == locked_room), 1, rooms)

    def add(number: jax.Array, edge: jax.Array) -> tuple[jax.Array, jax.Array]:
      one, other = number[ends[edge]]
      added = ~barred[edge] & (number != number[0]).any()
      return jnp.where(added & (number == other), one, number), added

    order = jax.random.permutation(key, len(ends))
    _, added = jax.lax.scan(add, number, order)
    return jnp.zeros(len(ends), bool).at[order].set(added)


class MultiRoom(RoomGrid):
  """A path of rooms behind closed doors, from the first room to a goal in the last."""

  def __init__(self, count: int, side: int, lattice: int = 3):
    super().__init__(lattice, lattice, side, max_steps=20 * count)
    self.paths = np.array(
      [path for room in range(lattice**2) for path in self._paths([room], count)]
    )
    steps = np.sort(np.stack([self.paths[:, :-1], self.paths[:, 1:]], -1), -1)
    # Edges of each path, bool [P, E].
    self.crossed = (steps[:, :, None] == self.ends).all(-1).any(1)

  def _paths(self, path: list[int], count: int) -> list[list[int]]:
    """All paths of `count` rooms that go on from a path and enter no room twice."""
    if len(path) == count:
      return [path]
    beside = [int(edge.sum()) - path[-1] for edge in self.ends if path[-1] in edge]
    return [
      more for room in beside if room not in path for more in self._paths([*path, room], count)
    ]

  def _generate_problem(self, params: EnvParams, key: jax.Array) -> State:
    keys = jax.random.split(key, 5)
    drawn = jax.random.randint(keys[0], (), 0, len(self.paths))
    path, crossed = jnp.asarray(self.paths)[drawn], jnp.asarray(self.crossed)[drawn]
    colours = jax.random.choice(keys[1], COLOURS, crossed.shape)
    doors = _tiles(jnp.where(crossed, Tiles.DOOR_CLOSED, LEAVE), colours)
    grid, _ = self.add_doors(keys[2], doors)
    goal = _tiles(Tiles.GOAL, Colors.GREEN)
    grid = self.put(keys[3], grid, path[-1], goal)
    return self.start(keys[4], grid, path[0], AgentOnTileGoal(goal))


SIDE_ROOMS, CORNERS, RIGHT_DOWN_LEFT_UP = (5, 7, 3, 1), (2, 8, 6, 0), (1, 3, -1, -3)
"""Of a maze of 3 x 3 rooms, clockwise; the last is what leads to a neighbouring room."""


class ObstructedMaze(RoomGrid):
  """A blue ball behind locked doors; keys may be in boxes, and balls may lie before the doors.

  With no quarters, two rooms; else 3 x 3 rooms of which so many sides can be entered.
  """

  def __init__(self, quarters: int, visited: int, start: int, boxes: bool, blocked: bool):
    side = 6
    shape = (3, 3) if quarters else (1, 2)
    super().__init__(*shape, side, max_steps=4 * visited * side**2)
    self.start_room, self.boxes, self.blocked = start, boxes, blocked
    # Rooms that a locked door leads from and to, and the number of its colour.
    self.locked = [] if quarters else [(0, 1, 0)]
    self.closed = []
    for i, room in enumerate(SIDE_ROOMS[:quarters]):
      self.closed.append((4, room, i))
      for turn in ((i - 1) % 4, (i + 1) % 4):
        self.locked.append((room, room + RIGHT_DOWN_LEFT_UP[turn], turn))
    self.ball_rooms = np.array(CORNERS[:quarters] or (1,))

  def _generate_problem(self, params: EnvParams, key: jax.Array) -> State:
    colour_key, door_key, ball_key, room_key, start_key, *keys = jax.random.split(
      key, 5 + len(self.locked)
    )
    colours = jax.random.permutation(colour_key, COLOURS)
    doors = jnp.zeros_like(self.ends, jnp.uint8)
    for kind, some in ((Tiles.DOOR_CLOSED, self.closed), (Tiles.DOOR_LOCKED, self.locked)):
      for room, other, colour in some:
        doors = doors.at[self.edge(room, other)].set(_tiles(kind, colours[colour]))
    grid, at = self.add_doors(door_key, doors)
    if self.blocked:
      for room, other, _ in self.locked:
        row, column = at[self.edge(room, other)] - self._towards(room, other)
        grid = grid.at[row, column].set(_tiles(Tiles.BALL, Colors.GREEN))
    for (room, _, colour), one in zip(self.locked, keys, strict=True):
      thing = Tiles.SQUARE if self.boxes else Tiles.KEY
      grid = self.put(one, grid, room, _tiles(thing, colours[colour]))
    ball = _tiles(Tiles.BALL, Colors.BLUE)
    grid = self.put(ball_key, grid, jax.random.choice(room_key, self.ball_rooms), ball)
    return self.start(start_key, grid, self.start_room, AgentHoldGoal(ball))

  def _towards(self, room: int, other: int) -> np.ndarray:
    """The step that leads from a room to a neighbouring one, int [2]."""
    return np.subtract(divmod(other, self.columns), divmod(room, self.columns))

  def step(self, params: EnvParams, timestep: TimeStep, action: Any) -> TimeStep:
    """The library's, and a box that is opened turns into the key in it."""
    state = timestep.state
    row, column = state.agent.position + DIRECTIONS[state.agent.direction]
    ahead = state.grid[row, column]
    opened = (action == TOGGLE) & (ahead[0] == Tiles.SQUARE)
    grid = state.grid.at[row, column].set(jnp.where(opened, _tiles(Tiles.KEY, ahead[1]), ahead))
    return super().step(params, timestep.replace(state=state.replace(grid=grid)), action)


def _maze(quarters: int, visited: int, start: int, boxes: bool, blocked: bool) -> Callable:
  return functools.partial(ObstructedMaze, quarters, visited, start, boxes, blocked)


TASKS: dict[str, Callable[[], RoomGrid]] = {
  **{
    f"KeyCorridorS{side}R{rows}": functools.partial(KeyCorridor, side, rows)
    for side, rows in ((3, 1), (3, 2), (3, 3), (4, 3), (5, 3), (6, 3))
  },
  "MultiRoom-N2-S4": functools.partial(MultiRoom, 2, 4, lattice=2),
  "MultiRoom-N4-S5": functools.partial(MultiRoom, 4, 5),
  "MultiRoom-N6": functools.partial(MultiRoom, 6, 10),
  "MultiRoom-N7-S8": functools.partial(MultiRoom, 7, 8),
  "ObstructedMaze-1Dl": _maze(0, 2, 0, False, False),
  "ObstructedMaze-1Dlh": _maze(0, 2, 0, True, False),
  "ObstructedMaze-1Dlhb": _maze(0, 2, 0, True, True),
  "ObstructedMaze-2Dl": _maze(1, 4, 5, False, False),
  "ObstructedMaze-2Dlh": _maze(1, 4, 5, True, False),
  "ObstructedMaze-2Dlhb": _maze(1, 4, 5, True, True),
  "ObstructedMaze-1Q": _maze(1, 5, 4, True, True),
  "ObstructedMaze-2Q": _maze(2, 11, 5, True, True),
  "ObstructedMaze-Full": _maze(4, 25, 4, True, True),
}
"""Builders by MiniGrid's ids; MultiRoom-N7-S8 is the one of RIDE (Raileanu et al. 2020)."""
