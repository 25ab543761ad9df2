"""Goals on the host: mazes of Gymnasium-Robotics and poses of dm_control's walker."""

import ctypes.util

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.host import goal_mazes, walker_poses
from envs.host.conformance import check
from envs.host.goals import GoalHost, Judge, Paired, Scene

MAZES = {"PointMaze_UMaze-v3": (4, 2, 300), "AntMaze_UMaze-v5": (107, 8, 700)}


class Line(Scene):
  """A place on a line, moved by the action; the second entry is the last action."""

  def reset(self):
    self.seen = np.zeros(2, np.float32)
    return self.seen, np.array([2, 0], np.float32)

  def step(self, action):
    self.seen = np.array([self.seen[0] + action, action], np.float32)
    return self.seen

  view_spec = action_spec = render = close = None


class Near(Judge):
  def reached(self, view, goal, xp):
    return xp.abs(view[0] - goal[0]) < 0.5

  distance = None


@pytest.fixture(scope="module")
def walker():
  pytest.importorskip("dm_control")
  return envs.make("dm_control_goals/walker", stepping="serial")


@pytest.mark.parametrize("free", [False, True])
def test_reaching_the_goal_pays_and_ends_unless_nothing_does(free):
  env = Paired(Line(), Near(), free)
  first = env.reset().observation
  np.testing.assert_array_equal([first["view"], first["goal"]], [[0, 0], [2, 0]])
  env.step(1.0)
  step = env.step(1.0)
  after = step.observation
  np.testing.assert_array_equal([after["view"], after["goal"]], [[2, 1], [2, 0]])
  assert (step.reward, step.discount, step.last()) == ((0, 1, False) if free else (1, 0, True))


def test_no_steps_are_refused():
  with pytest.raises(ValueError, match="max_episode_steps is 0"):
    GoalHost(lambda seed: Line(), Near(), False, 0, "serial")


@pytest.mark.parametrize("name", MAZES)
def test_mazes_conform_and_goals_differ_from_views_in_the_place_alone(name):
  pytest.importorskip("gymnasium_robotics")
  size, actions, limit = MAZES[name]
  env = envs.make(f"gymnasium_robotics/{name}", stepping="serial")
  assert {leaf.shape for leaf in env.observation_spec().values()} == {(size,)}
  assert env.action_spec().shape == (actions,)
  assert (env.max_episode_steps, env.success_return) == (limit, 1)
  check(env, num_envs=2, steps=10)
  first = env.make(3).reset().observation
  view, goal = first["view"], first["goal"]
  np.testing.assert_array_equal(view[2:], goal[2:])
  apart = np.linalg.norm(view[:2] - goal[:2])
  assert env.distance(view, goal) >= apart - 1e-4
  assert not env.reached(view, goal)
  assert env.reached(goal.copy(), goal)


def test_ways_through_the_u_go_round_its_wall():
  pytest.importorskip("gymnasium_robotics")
  for name, side in (("PointMaze_UMaze-v3", 1), ("AntMaze_UMaze-v5", 4)):
    env = envs.make(f"gymnasium_robotics/{name}")
    ends = [np.float32([-side, up * side, *np.zeros(MAZES[name][0] - 2)]) for up in (1, -1)]
    around = 2 * np.hypot(1.5, 0.5) + 1
    np.testing.assert_allclose(env.distance(*ends), around * side, rtol=1e-4)


def test_a_maze_plays_as_the_library_does_and_a_place_within_its_radius_counts():
  pytest.importorskip("gymnasium_robotics")
  env = envs.make("gymnasium_robotics/PointMaze_UMaze-v3", stepping="serial")
  ours, theirs = env.make(5), gymnasium.make("PointMaze_UMaze-v3")
  found, seen = theirs.reset(seed=5)[0], ours.reset().observation
  rng = np.random.default_rng(0)
  for _ in range(50):
    np.testing.assert_allclose(seen["view"], found["observation"], rtol=1e-6)
    np.testing.assert_allclose(seen["goal"][:2], found["desired_goal"], rtol=1e-6)
    action = rng.uniform(-1, 1, 2).astype(np.float32)
    (found, paid, *_), step = theirs.step(action), ours.step(action)
    assert step.reward == paid
    seen = step.observation


@pytest.mark.skipif(not ctypes.util.find_library("EGL"), reason="needs EGL to draw in memory")
def test_a_maze_draws_without_a_screen():
  """MuJoCo's own choice, a window, would end the process."""
  pytest.importorskip("gymnasium_robotics")
  env = envs.make("gymnasium_robotics/PointMaze_UMaze-v3", stepping="serial").make(0)
  env.reset()
  picture = env.render()
  assert (picture.ndim, picture.dtype) == (3, np.uint8)
  assert np.ptp(picture) > 100
  env.close()


def test_the_walker_conforms(walker):
  assert walker.view_spec().shape == walker.observation_spec()["goal"].shape == (24,)
  check(walker, num_envs=2, steps=10)


def slow_distance(one, other):
  """GO-FRESH's measure of two positions [9] of the walker."""

  def apart(other):
    angles = abs(one - other)[[2, 3, 4, 6, 7]] % (2 * np.pi)
    return max(*np.minimum(angles, 2 * np.pi - angles), abs(one[0] - other[0]))

  return min(apart(other), apart(other[[0, 1, 2, 6, 7, 8, 3, 4, 5]]))


def test_poses_are_told_from_views_and_legs_may_be_exchanged(walker):
  scene = walker_poses.WalkerScene(0)
  places = [np.array([z, 0, turn, *a, *b], float) for z, turn, a, b in walker_poses.POSES.values()]
  views = np.stack([scene.pose(place) for place in places])
  exact = np.array([[slow_distance(a, b) for a in places] for b in places])

  def every(function):
    return jax.jit(jax.vmap(jax.vmap(function, (0, None)), (None, 0)))

  np.testing.assert_allclose(every(walker.distance)(views, views), exact, atol=1e-5)
  np.testing.assert_array_equal(every(walker.reached)(views, views), exact < 0.7)
  assert walker.judge.reached(views[0], views[0], np)
  swapped = scene.pose(places[3][[0, 1, 2, 6, 7, 8, 3, 4, 5]])
  assert walker.distance(jnp.asarray(swapped), jnp.asarray(views[3])) < 1e-5


def test_goals_are_the_poses_at_rest_drawn_anew(walker):
  scene = walker_poses.WalkerScene(0)
  goals = np.stack([scene.reset()[1] for _ in range(40)])
  np.testing.assert_array_equal(goals[:, 15:], 0)
  assert 6 < len(np.unique(goals, axis=0)) <= len(walker_poses.POSES)


def test_mazes_are_named_where_the_library_is():
  pytest.importorskip("gymnasium_robotics")
  assert {*MAZES} <= {*goal_mazes.names()}
  with pytest.raises(ValueError, match="did you mean gymnasium_robotics/PointMaze_UMaze-v3"):
    envs.make("gymnasium_robotics/PointMaze_UMaze-v9")
