"""The tasks of rooms: every layout drawn can be solved, and only as its name says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs

pytest.importorskip("xminigrid")


FLOOR, WALL, BALL, BOX, KEY, LOCKED, CLOSED, OPEN = 1, 2, 3, 4, 7, 8, 9, 10
GREEN = 2
RIGHT, PICK_UP, TOGGLE = 1, 3, 5
LAYOUTS = 20


def layouts(name, count=LAYOUTS):
  """Draws layouts: the environment, and states as a list of NumPy pytrees."""
  env = envs.make(f"xminigrid/{name}")
  keys = jax.random.split(jax.random.key(1), count)
  states, _ = jax.jit(jax.vmap(env.reset))(keys)
  states = jax.tree.map(np.asarray, states.replace(key=None))
  return env, [jax.tree.map(lambda x, i=i: x[i], states) for i in range(count)]


def flood(grid, start, colours=()):
  """Cells within reach from a cell with keys of `colours`, when things can be moved away."""
  seen, border = {start}, [start]
  while border:
    r, c = border.pop()
    for cell in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
      kind, colour = grid[cell]
      if cell not in seen and kind != WALL and (kind != LOCKED or colour in colours):
        seen.add(cell)
        border.append(cell)
  return seen


def reach(grid, start):
  """`flood` with the keys found on the way."""
  colours: set[int] = set()
  while True:
    seen = flood(grid, start, colours)
    found = {int(grid[cell][1]) for cell in seen if grid[cell][0] in (KEY, BOX)}
    if found <= colours:
      return seen
    colours |= found


def target(state):
  """The cell of the goal or of the ball to fetch, which the goal's encoding names."""
  (cell,) = np.argwhere((state.grid == state.goal_encoding[1:3]).all(-1))
  return tuple(cell.tolist())


def begin(state):
  return tuple(state.agent.position.tolist())


@pytest.mark.parametrize(
  ("name", "limit", "shape", "locks"),
  [
    ("KeyCorridorS3R2", 270, (5, 7), 1),
    ("KeyCorridorS4R3", 480, (10, 10), 1),
    ("MultiRoom-N4-S5", 80, (13, 13), 0),
    ("ObstructedMaze-1Dl", 288, (6, 11), 1),
    ("ObstructedMaze-2Dlh", 576, (16, 16), 2),
    ("ObstructedMaze-Full", 3600, (16, 16), 8),
  ],
)
def test_every_layout_can_be_solved_and_needs_its_keys(name, limit, shape, locks):
  env, states = layouts(name)
  assert env.max_episode_steps == limit
  for state in states:
    assert state.grid.shape[:2] == shape
    assert (state.grid[..., 0] == LOCKED).sum() == locks
    assert target(state) in reach(state.grid, begin(state))
    assert (target(state) in flood(state.grid, begin(state))) == (locks == 0)
  assert len({state.grid.tobytes() for state in states}) > LAYOUTS / 2


def test_every_room_of_a_corridor_is_connected_and_the_locked_one_by_one_door():
  env, states = layouts("KeyCorridorS4R3")
  room_of = env.places().rooms.reshape(states[0].grid.shape[:2])
  for state in states:
    assert {room_of[cell] for cell in reach(state.grid, begin(state))} == set(range(-1, 9))
    assert room_of[begin(state)] == 4
    (door,) = np.argwhere(state.grid[..., 0] == LOCKED)
    locked = room_of[door[0], door[1] + 1]
    assert locked == room_of[target(state)]
    assert locked % 3 == 2
    for r, c in np.argwhere(state.grid[..., 0] == CLOSED):
      assert locked not in {
        room_of[r - 1, c],
        room_of[r + 1, c],
        room_of[r, c - 1],
        room_of[r, c + 1],
      }
    (key,) = np.argwhere(state.grid[..., 0] == KEY)
    assert room_of[tuple(key)] % 3 == 0


@pytest.mark.parametrize(("name", "rooms"), [("MultiRoom-N2-S4", 2), ("MultiRoom-N7-S8", 7)])
def test_a_path_of_rooms_has_as_many_rooms_as_its_name_says(name, rooms):
  env, states = layouts(name)
  room_of = env.places().rooms.reshape(states[0].grid.shape[:2])
  for state in states:
    entered = {room_of[cell] for cell in flood(state.grid, begin(state))} - {-1}
    assert len(entered) == rooms
    assert (state.grid[..., 0] == CLOSED).sum() == rooms - 1
    doors = np.argwhere(state.grid[..., 0] == CLOSED)
    shut = state.grid.copy()
    shut[doors[:, 0], doors[:, 1]] = WALL
    assert {room_of[cell] for cell in flood(shut, begin(state))} == {room_of[begin(state)]}


def test_a_ball_lies_before_each_locked_door_on_the_side_of_its_key():
  env, states = layouts("ObstructedMaze-Full")
  room_of = env.places().rooms.reshape(states[0].grid.shape[:2])
  for state in states:
    boxes = [tuple(cell) for cell in np.argwhere(state.grid[..., 0] == BOX)]
    assert len(boxes) == 8
    for r, c in np.argwhere(state.grid[..., 0] == LOCKED):
      sides = ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1))
      (ball,) = (s for s in sides if state.grid[s].tolist() == [BALL, GREEN])
      assert any(
        room_of[box] == room_of[ball] and state.grid[box][1] == state.grid[r, c][1] for box in boxes
      )


def test_a_box_that_is_opened_turns_into_the_key_of_the_door():
  env = envs.make("xminigrid/ObstructedMaze-1Dlh")
  step = jax.jit(env.step)
  state, _ = jax.jit(env.reset)(jax.random.key(0))
  grid = np.asarray(state.grid).copy()
  ((row, column),) = np.argwhere(grid[..., 0] == LOCKED)
  colour = grid[row, column, 1]
  ((r, c),) = np.argwhere(grid[..., 0] == BOX)
  assert grid[r, c, 1] == colour
  # The box, the agent and the door in one row: it opens the box, turns round, and opens the door.
  grid[r, c] = FLOOR, 7
  grid[row, column - 2] = BOX, colour
  place = jnp.array([row, column - 1], state.agent.position.dtype)
  agent = state.agent.replace(position=place, direction=jnp.full_like(state.agent.direction, 3))
  state = state.replace(grid=jnp.asarray(grid), agent=agent)
  state, _ = step(state, jnp.int32(TOGGLE))
  assert state.grid[row, column - 2].tolist() == [KEY, colour]
  for action in (PICK_UP, RIGHT, RIGHT, TOGGLE):
    state, _ = step(state, jnp.int32(action))
  assert state.agent.pocket.tolist() == [KEY, colour]
  assert state.grid[row, column].tolist() == [OPEN, colour]
