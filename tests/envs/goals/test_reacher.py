"""The reacher against dm_control's, which MuJoCo steps in float64, and what its goals ask for."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.conformance import check, check_structure
from envs.goals.reacher import COLUMNS, LINK, RADIUS, START, WRIST_LIMIT, Arm

COUNT = 400


@pytest.fixture(scope="module")
def env():
  return envs.make("goals/reacher")


def arm(shoulder, wrist):
  return Arm(jnp.array([shoulder, wrist], jnp.float32), jnp.zeros(2, jnp.float32))


def draw(function):
  keys = jax.random.split(jax.random.key(0), COUNT)
  return np.asarray(jax.jit(jax.vmap(function))(keys).angles)


def joints(angles):
  """Wrist and fingertip, [..., 2, 2], by adding up the links as complex numbers."""
  links = LINK * np.exp(1j * np.cumsum(angles, -1))
  ends = np.cumsum(links, -1)
  return np.stack([ends.real, ends.imag], -1)


def test_conforms():
  check(envs.make("goals/reacher", max_episode_steps=15, random_start=True), steps=40)


def test_in_pixels_it_conforms_in_structure():
  check_structure(envs.make("goals/reacher", pixels=True), jax.random.key(0))


def test_moves_as_dm_controls_reacher_does_its_limit_included(env):
  pytest.importorskip("dm_control")
  importlib.import_module("envs.host.dm_control").names()  # imports it as other tests need it
  suite = importlib.import_module("dm_control.suite")
  theirs = suite.load("reacher", "hard", task_kwargs={"random": 0})
  theirs.physics.model.opt.tolerance = 0.0  # or the solver stops 1e-8 short of its answer
  theirs.reset()
  with theirs.physics.reset_context():
    theirs.physics.data.qpos[:] = START
  actions = np.random.default_rng(0).uniform(-1.5, 1.5, (40, 2)).clip(-1, 1).repeat(25, 0)
  actions = actions.astype(np.float32)
  expected = []
  for action in actions:
    theirs.step(action)
    data = theirs.physics.data
    expected.append(np.stack([data.qpos, data.qvel]))
  expected = np.array(expected)
  assert (abs(expected[:, 0, 1]) > WRIST_LIMIT).sum() > 100

  def step(body, action):
    body = env.move(body, action)
    return body, jnp.stack(body)

  ours = jax.jit(lambda body: jax.lax.scan(step, body, actions)[1])(env.start(jax.random.key(0)))
  np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_torques_beyond_what_the_motors_give_are_cut_off(env):
  for body in (arm(0, 0), arm(1, -2)):
    strong, most = (env.move(body, jnp.array(torque, jnp.float32)) for torque in ((9, -9), (1, -1)))
    np.testing.assert_array_equal(jnp.stack(strong), jnp.stack(most))


def test_distance_goes_round_at_the_shoulder_and_not_at_the_wrist(env):
  for one, other, length in (
    ((3, 0), (-3, 0), 2 * np.pi - 6),
    ((0, 2.7), (0, -2.7), 5.4),
    ((7, 1), (7 - 2 * np.pi, 1), 0),
    ((0.3, 0), (0, 0.4), 0.5),
  ):
    a, b = env.view(arm(*one)), env.view(arm(*other))
    np.testing.assert_allclose([env.distance(a, b), env.distance(b, a)], length, atol=1e-5)


def test_reached_is_a_pose_with_wrist_and_fingertip_in_place(env):
  rng = np.random.default_rng(0)
  a = rng.uniform(-1, 1, (COUNT, 2)) * [np.pi, WRIST_LIMIT]
  b = np.clip(a + rng.uniform(-0.6, 0.6, a.shape), -WRIST_LIMIT, WRIST_LIMIT)
  b[:50] = np.stack([a[:50].sum(-1), -a[:50, 1]], -1)  # its mirror: the same fingertip
  apart = np.linalg.norm(joints(a) - joints(b), axis=-1)
  assert (apart[:50, 1] < 1e-6).all()
  compare = jax.jit(
    jax.vmap(lambda a, b: env.reached(*(jnp.concatenate([jnp.cos(x), jnp.sin(x)]) for x in (a, b))))
  )
  for one, other in ((a, b), (b, a)):
    found = np.asarray(compare(one.astype(np.float32), other.astype(np.float32)))
    np.testing.assert_array_equal(found, (apart < RADIUS).all(-1))
  assert 0.1 < found.mean() < 0.9


def test_reset_to_puts_body_and_goal_and_the_goal_pays_and_ends(env):
  goal = env.view(arm(0.5, 0))
  state, timestep = env.reset_to(arm(0, 0), goal)
  np.testing.assert_array_equal(timestep.observation["view"], env.view(arm(0, 0)))
  np.testing.assert_array_equal(timestep.observation["goal"], goal)
  step = jax.jit(env.step)
  while not timestep.last():
    assert timestep.reward == 0
    # Towards the goal, the wrist held straight.
    shoulder = 5 * (0.5 - state.body.angles[0]) - state.body.velocities[0]
    wrist = -5 * state.body.angles[1] - state.body.velocities[1]
    state, timestep = step(state, jnp.stack([shoulder, wrist]))
  assert timestep.reward == 1
  assert timestep.discount == 0
  assert np.linalg.norm(joints(state.body.angles) - joints([0.5, 0]), axis=-1).max() < RADIUS


def test_poses_are_drawn_evenly_and_far_ones_from_the_farthest_third(env):
  angles = draw(env.anywhere)
  share = angles / [np.pi, WRIST_LIMIT]
  counts = np.histogramdd(share, [4, 4], [(-1, 1)] * 2)[0]
  assert counts.sum() == COUNT
  assert abs(counts - COUNT / 16).max() < 5 * np.sqrt(COUNT / 16)
  least = np.quantile(np.linalg.norm(angles, axis=-1), 2 / 3) - 0.1
  far = draw(lambda key: env.anywhere(key, True))
  assert (np.linalg.norm(far, axis=-1) > least).all()
  assert (abs(far) <= [np.pi, WRIST_LIMIT]).all()


def test_episodes_begin_stretched_out_or_anywhere_and_at_rest(env):
  np.testing.assert_array_equal(draw(env.start), np.broadcast_to(START, (COUNT, 2)))
  anywhere = envs.make("goals/reacher", random_start=True)
  np.testing.assert_array_equal(draw(anywhere.start), draw(anywhere.anywhere))
  np.testing.assert_array_equal(anywhere.start(jax.random.key(0)).velocities, 0)


def test_pixels_tell_poses_and_distances(env):
  pixels = envs.make("goals/reacher", pixels=True)
  angles = draw(env.anywhere)

  @jax.jit
  @jax.vmap
  def compare(a, b):
    one, other = arm(*a), arm(*b)
    seen = pixels.view(one)
    exact = env.distance(env.view(one), env.view(other))
    return seen, pixels.pose(seen), pixels.distance(seen, pixels.view(other)), exact

  seen, read, distance, exact = compare(angles, np.roll(angles, 1, 0))
  assert seen.shape[1:] == pixels.view_spec().shape
  np.testing.assert_allclose(np.exp(1j * read), np.exp(1j * angles), atol=0.005)
  np.testing.assert_allclose(distance, exact, atol=0.01)


def test_oracle_tells_the_cell_of_the_pose(env):
  goal = env.view(arm(0, 0))
  for degrees, row, column in (((-179, -159), 0, 0), ((179, 159), 15, 17), ((370, -5), 7, 9)):
    state, _ = env.reset_to(arm(*np.radians(degrees)), goal)
    assert env.oracle(state).place == row * COLUMNS + column
  assert env.places().reachable.all()


def test_picture_shows_arm_and_goal(env):
  state, _ = env.reset_to(arm(0.5, 1), env.view(arm(-2, -1)))
  picture = np.asarray(env.render(state)).astype(int)

  def colour(position):
    column, row = (np.array([0.27, 0.27]) + position * np.array([1, -1])) / 0.0025
    return picture[int(row), int(column)].argmax()

  wrist, tip = joints([0.5, 1])
  assert colour(tip) == 0
  assert colour(wrist) == 2
  assert colour(joints([-2, -1])[1]) == 1


def test_settings_that_mean_nothing_are_refused():
  with pytest.raises(ValueError, match="max_episode_steps is 0"):
    envs.make("goals/reacher", max_episode_steps=0)
