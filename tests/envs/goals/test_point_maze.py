"""Points in mazes: the contract, what is drawn, what is seen, and what counts as reached."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.conformance import check, check_structure
from envs.goals import layouts
from envs.goals.point_maze import RADIUS, SPEED

NAMES = ("goals/u_maze", "goals/four_rooms", "goals/spiral", "goals/random_maze")


@pytest.fixture(scope="module", params=NAMES)
def env(request):
  return envs.make(request.param)


@pytest.fixture(scope="module")
def u_maze():
  return envs.make("goals/u_maze")


def view(env, *position):
  return env.view(jnp.array(position, jnp.float32))


def draw(function, count=2000):
  return np.asarray(jax.jit(jax.vmap(function))(jax.random.split(jax.random.key(0), count)))


def cells(env, positions):
  column, row = np.floor(positions).astype(int).T
  return row * env.world.columns + column


def search(free, start):
  """Steps to each reachable cell of a map, by breadth-first search: {(row, column): steps}."""
  steps, frontier = {start: 0}, [start]
  while frontier:
    row, column = frontier.pop(0)
    for ahead in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
      if free[ahead] and ahead not in steps:
        steps[ahead] = steps[row, column] + 1
        frontier.append(ahead)
  return steps


@pytest.mark.parametrize(
  ("name", "settings"),
  [("goals/u_maze", {}), ("goals/u_maze", {"pixels": True}), ("goals/random_maze", {"free": True})],
)
def test_conforms(name, settings):
  check(envs.make(name, max_episode_steps=15, **settings), steps=40)


def test_conforms_in_structure(env):
  check_structure(env, jax.random.key(0))


def test_every_free_cell_is_reached_and_drawn_alike_often(env):
  free = ~env.walls.blocked
  assert len(search(free, divmod(env.start_cell, env.world.columns))) == free.sum()
  drawn = np.bincount(cells(env, draw(env.anywhere)), minlength=free.size).reshape(free.shape)
  assert drawn[free].min() > 0
  expected = 2000 / free.sum()
  assert abs(drawn[free] - expected).max() < 6 * np.sqrt(expected)
  assert drawn.sum() == drawn[free].sum()


def test_far_goals_are_the_third_at_the_end_of_the_spiral():
  env = envs.make("goals/spiral", goals="far")
  steps = search(~env.walls.blocked, (1, 1))
  order = sorted(steps, key=steps.get)
  third = {row * env.world.columns + column for row, column in order[-math.ceil(len(order) / 3) :]}
  goals = jax.vmap(env.position)(draw(lambda key: env.reset(key)[0].goal))
  assert set(cells(env, np.asarray(goals))) == third


def test_episodes_begin_in_the_start_cell_or_anywhere(u_maze):
  assert set(cells(u_maze, draw(u_maze.start))) == {u_maze.start_cell}
  anywhere = envs.make("goals/u_maze", random_start=True)
  assert len(set(cells(anywhere, draw(anywhere.start)))) == u_maze.places().reachable.sum() == 39


def test_half_the_speed_reaches_the_farthest_cell_in_time(env):
  start = np.array(divmod(env.start_cell, env.world.columns))[::-1] + 0.5
  centres = np.argwhere(~env.walls.blocked)[:, ::-1] + 0.5
  lengths = jax.jit(jax.vmap(env.distance, (None, 0)))(
    env.view(start.astype(np.float32)), jax.vmap(env.view)(centres.astype(np.float32))
  )
  needed = float(max(lengths)) / (SPEED / 2)
  assert needed <= env.max_episode_steps <= needed + 10


def test_a_step_moves_by_a_quarter_of_a_cell_and_walls_stop_it(u_maze):
  action = jnp.array([1.0, -1.0], jnp.float32)
  body = jnp.array([1.5, 7.5], jnp.float32)
  np.testing.assert_allclose(u_maze.move(body, action), [1.75, 7.25])
  np.testing.assert_allclose(u_maze.move(body, 9 * action), [1.75, 7.25])
  for _ in range(30):
    body = u_maze.move(body, action)
  np.testing.assert_allclose(body, [4, 5], atol=0.002)


def test_reset_to_puts_body_and_goal_and_the_goal_pays_and_ends(u_maze):
  goal = view(u_maze, 2.5, 7.5)
  state, first = u_maze.reset_to(jnp.array([1.5, 7.5], jnp.float32), goal)
  np.testing.assert_array_equal(first.observation["view"], view(u_maze, 1.5, 7.5))
  np.testing.assert_array_equal(first.observation["goal"], goal)
  step, right = jax.jit(u_maze.step), jnp.array([1.0, 0.0], jnp.float32)
  for reward in (0, 0, 0, 1):  # at 2.25 the goal is a radius away, not less
    state, timestep = step(state, right)
    assert timestep.reward == reward
    assert timestep.discount == 1 - reward
    np.testing.assert_array_equal(timestep.observation["goal"], goal)
  assert timestep.last()


def test_reached_is_near_and_in_sight(u_maze):
  goal = view(u_maze, 1.5, 6.5)
  assert u_maze.reached(view(u_maze, 1.5 + 0.99 * RADIUS, 6.5), goal)
  assert not u_maze.reached(view(u_maze, 1.5 + 1.01 * RADIUS, 6.5), goal)
  # Around the corner of the door at (2, 4): near, but the wall is between.
  assert not u_maze.reached(view(u_maze, 1.9, 5.05), view(u_maze, 2.05, 4.9))


def test_the_way_round_the_u_is_measured_around_its_corners(u_maze):
  corners = np.array([(1.5, 7.5), (3, 4), (4, 3), (5, 3), (6, 4), (7.5, 7.5)])
  length = np.linalg.norm(np.diff(corners, axis=0), axis=-1).sum()
  found = u_maze.distance(view(u_maze, 1.5, 7.5), view(u_maze, 7.5, 7.5))
  np.testing.assert_allclose(found, length, rtol=1e-5)


def test_pixels_tell_positions_distances_and_goals(u_maze):
  pixels = envs.make("goals/u_maze", pixels=True)

  @jax.jit
  @jax.vmap
  def compare(a, b):
    seen, other = pixels.view(a), pixels.view(b)
    exact = u_maze.distance(u_maze.view(a), u_maze.view(b))
    return (
      seen,
      pixels.position(seen),
      pixels.distance(seen, other),
      exact,
      pixels.reached(seen, seen),
    )

  positions = draw(pixels.anywhere)
  seen, read, distance, exact, reached = compare(positions, np.roll(positions, 1, 0))
  assert seen.dtype == jnp.uint8
  assert seen.shape[1:] == pixels.view_spec().shape == (27, 27, 3)
  np.testing.assert_allclose(read, positions, atol=0.003)
  np.testing.assert_allclose(distance, exact, atol=0.01)
  assert reached.all()


def test_oracle_tells_the_cell_and_places_the_rooms(u_maze):
  state, _ = u_maze.reset_to(jnp.array([6.2, 1.9], jnp.float32), view(u_maze, 1.5, 7.5))
  place, places = int(u_maze.oracle(state).place), u_maze.places()
  assert place == 1 * 9 + 6
  assert places.rooms[place] == 2
  assert places.rooms[u_maze.start_cell] == 0


def test_picture_shows_point_goal_and_walls(env):
  state, _ = env.reset(jax.random.key(0))
  picture = np.asarray(env.render(state))
  side = len(picture) // env.world.rows
  assert 200 <= len(picture) <= 300
  colours = {
    "point": picture[tuple((np.asarray(state.body)[::-1] * side).astype(int))],
    "goal": picture[tuple((np.asarray(env.position(state.goal))[::-1] * side).astype(int))],
  }
  assert colours["point"].argmax() == 0
  assert colours["goal"].argmax() == 1
  assert (picture[0] == picture[0, 0]).all()


@pytest.mark.parametrize("size", [5, 9, 21])
def test_random_mazes_are_connected_and_repeat_by_seed(size):
  mazes = [layouts.random_maze(size, seed, 0.2).world.walls for seed in (0, 0, 1)]
  np.testing.assert_array_equal(mazes[0], mazes[1])
  assert (mazes[0] != mazes[2]).any()
  free = ~mazes[0].reshape(size, size)
  assert len(search(free, (1, 1))) == free.sum()


@pytest.mark.parametrize(("braid", "opened"), [(0.0, 0), (0.5, 8), (1.0, 16)])
def test_braid_opens_its_share_of_the_walls_between_neighbours(braid, opened):
  free = ~layouts.random_maze(11, 0, braid).world.walls
  assert free.sum() == 2 * 5**2 - 1 + opened  # a tree of 25 cells, and loops


@pytest.mark.parametrize(
  ("settings", "said"),
  [
    ({"size": 8}, "size is 8; expected an odd integer of at least 5"),
    ({"size": 3}, "size is 3"),
    ({"braid": 1.5}, "braid is 1.5; expected a share from 0 to 1"),
    ({"goals": "near"}, "goals is 'near'"),
    ({"max_episode_steps": 0}, "max_episode_steps is 0"),
  ],
)
def test_settings_that_mean_nothing_are_refused(settings, said):
  with pytest.raises(ValueError, match=said):
    envs.make("goals/random_maze", **settings)
