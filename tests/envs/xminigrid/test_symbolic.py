"""XLand-MiniGrid behind the functional contract: the view, the reward, the two ends, the places."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs import conformance
from envs.environment import LAST, MID

pytest.importorskip("xminigrid")

import envs.xminigrid.symbolic  # registers

FORWARD, RIGHT, LEFT, PICK_UP, PUT_DOWN, TOGGLE = range(6)
EAST, WEST = 1, 3
KEY = 7


@pytest.fixture(scope="module")
def corridor():
  """Cells 1 to 5 from left to right: key, door, agent, locked door, ball."""
  env = envs.make("xminigrid/KeyCorridorS3R1")
  return env, jax.jit(env.reset), jax.jit(env.step)


def towards(direction, *then):
  return lambda facing: [RIGHT] * ((direction - facing) % 4) + list(then)


SOLUTION = (
  towards(WEST, TOGGLE, FORWARD, PICK_UP),
  towards(EAST, FORWARD, TOGGLE),
  towards(WEST, FORWARD, PUT_DOWN),
  towards(EAST, FORWARD, FORWARD, PICK_UP),
)


def solve(state, step):
  """Plays the solution: returns the states and timesteps after each step."""
  trace = []
  for part in SOLUTION:
    for action in part(int(state.agent.direction)):
      state, timestep = step(state, jnp.int32(action))
      trace.append((state, timestep))
  return trace


def test_conforms():
  conformance.check(envs.make("xminigrid/DoorKey-5x5"), steps=60)


@pytest.mark.parametrize("name", ["KeyCorridorS3R3", "MultiRoom-N6", "ObstructedMaze-2Q"])
def test_structure(name):
  conformance.check_structure(envs.make(f"xminigrid/{name}"), jax.random.key(0))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_solved_corridor_pays_what_minigrid_pays(corridor, seed):
  env, reset, step = corridor
  state, _ = reset(jax.random.key(seed))
  *before, (_, last) = solve(state, step)
  assert {int(t.step_type) for _, t in before} == {MID}
  assert {float(t.reward) for _, t in before} == {0.0}
  length = len(before) + 1
  np.testing.assert_allclose(last.reward, 1 - 0.9 * length / 270, rtol=1e-6)
  assert (int(last.step_type), float(last.discount)) == (LAST, 0.0)
  assert float(last.reward) >= env.success_return


def test_the_goal_on_the_last_step_is_a_termination(corridor):
  env, reset, step = corridor
  state, _ = reset(jax.random.key(0))
  length = len(solve(state, step))
  late = state.replace(step_num=jnp.full_like(state.step_num, env.max_episode_steps - length))
  _, last = solve(late, step)[-1]
  assert (int(last.step_type), float(last.discount)) == (LAST, 0.0)
  np.testing.assert_allclose(last.reward, 0.1, rtol=1e-5)


def test_time_that_is_up_is_a_truncation(corridor):
  env, reset, _ = corridor
  state, _ = reset(jax.random.key(0))
  turns = jnp.full(env.max_episode_steps, LEFT, jnp.int32)
  _, steps = jax.jit(lambda s: jax.lax.scan(env.step, s, turns))(state)
  assert steps.step_type.tolist() == [MID] * (len(turns) - 1) + [LAST]
  assert set(steps.discount.tolist()) == {1.0}
  assert set(steps.reward.tolist()) == {0.0}


def test_the_oracle_tells_where_the_agent_is(corridor):
  env, reset, step = corridor
  state, _ = reset(jax.random.key(2))
  places = env.places()
  columns, rooms = [], []
  for now, _ in solve(state, step):
    place = int(env.oracle(now).place)
    assert divmod(place, places.columns) == tuple(now.agent.position.tolist())
    assert places.reachable[place]
    columns.append(place % places.columns)
    rooms.append(int(places.rooms[place]))
  assert set(columns) == {2, 3, 4}
  assert set(rooms) == {-1, 1}


def test_rooms_are_told_where_they_are_always_the_same():
  assert set(envs.make("xminigrid/KeyCorridorS3R3").places().rooms) == set(range(-1, 9))
  places = envs.make("xminigrid/FourRooms").places()
  assert set(places.rooms) == {-1}
  assert places.reachable.sum() == (places.rows - 2) * (places.columns - 2)


def view_of(grid, position, direction, pocket):
  """The 7 x 7 cells before the agent, cell by cell: forward is up, what lies outside is 0."""
  ahead = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])[direction]
  right = np.array([ahead[1], -ahead[0]])
  view = np.zeros((7, 7, 2), int)
  for row in range(7):
    for column in range(7):
      r, c = position + (6 - row) * ahead + (column - 3) * right
      if 0 <= r < grid.shape[0] and 0 <= c < grid.shape[1]:
        view[row, column] = grid[r, c]
  view[6, 3] = pocket
  return view


def test_the_view_is_what_lies_ahead_and_what_is_carried(corridor):
  _, reset, step = corridor
  state, _ = reset(jax.random.key(4))
  carried = set()
  for now, timestep in solve(state, step):
    agent = jax.tree.map(np.asarray, now.agent)
    wanted = view_of(np.asarray(now.grid), agent.position, agent.direction, agent.pocket)
    np.testing.assert_array_equal(timestep.observation, wanted)
    carried.add(int(timestep.observation[6, 3, 0]))
  assert KEY in carried


def test_names_are_the_librarys_and_ours():
  known = envs.xminigrid.symbolic.names()
  assert {"DoorKey-8x8", "KeyCorridorS3R3", "MultiRoom-N4-S5", "ObstructedMaze-2Dlhb"} <= {*known}
  with pytest.raises(ValueError, match="did you mean xminigrid/DoorKey-8x8"):
    envs.make("xminigrid/DoorKey-8x9")


def test_a_missing_library_is_told_with_what_installs_it(monkeypatch):
  monkeypatch.setitem(sys.modules, "xminigrid", None)
  with pytest.raises(ValueError, match=r"pip install 'rarebird\[xminigrid\]'"):
    envs.make("xminigrid/DoorKey-8x8")
