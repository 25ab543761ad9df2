"""The pusher against a simulation in tiny steps, and what its goals ask for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.conformance import check, check_structure
from envs.goals.pusher import COLUMNS, HAND, MIDDLE, PUCK, RADIUS, REACH, SPEED, START, TOUCH

COUNT = 400


@pytest.fixture(scope="module")
def env():
  return envs.make("goals/pusher")


@pytest.fixture(scope="module")
def move(env):
  return jax.jit(jax.vmap(env.move))


def body(*positions):
  return jnp.array(positions, jnp.float32)


def draw(function):
  return np.array(jax.jit(jax.vmap(function))(jax.random.split(jax.random.key(0), COUNT)))


def gap(bodies):
  return np.linalg.norm(bodies[..., 0, :] - bodies[..., 1, :], axis=-1)


def slow_move(bodies, actions, parts=500):
  """Bodies [N, 2, 2] a step later: the hand presses, the rim holds, what overlaps gives way."""
  hand, puck = np.moveaxis(bodies.astype(np.float64), 1, 0)
  for _ in range(parts):
    hand = np.clip(hand + SPEED * actions / parts, MIDDLE - REACH[0], MIDDLE + REACH[0])
    for mover in ("puck", "hand"):
      line = puck - hand
      length = np.linalg.norm(line, axis=-1, keepdims=True)
      overlap = np.maximum(TOUCH - length, 0) * line / length
      if mover == "puck":
        puck = np.clip(puck + overlap, MIDDLE - REACH[1], MIDDLE + REACH[1])
      else:
        hand = hand - overlap
  return np.stack([hand, puck], 1)


def near_contacts(seed):
  """Bodies with the hand beside the puck, a third of them at the rim, and actions towards it."""
  rng = np.random.default_rng(seed)
  puck = MIDDLE + rng.uniform(-1, 1, (COUNT, 2)) * REACH[1]
  puck[: COUNT // 3, 0] = MIDDLE[0] + REACH[1, 0]
  angle = rng.uniform(0, 2 * np.pi, COUNT)
  side = np.stack([np.cos(angle), np.sin(angle)], -1)
  hand = puck + (TOUCH + rng.uniform(1e-4, SPEED / 2, (COUNT, 1))) * side
  actions = np.clip(-side + rng.uniform(-0.7, 0.7, (COUNT, 2)), -1, 1)
  inside = (abs(hand - MIDDLE) <= REACH[0]).all(-1)
  bodies = np.where(inside[:, None, None], np.stack([hand, puck], 1), START)
  return bodies.astype(np.float32), actions.astype(np.float32)


def test_conforms():
  check(envs.make("goals/pusher", max_episode_steps=15, random_start=True), steps=40)


def test_in_pixels_it_conforms_in_structure():
  check_structure(envs.make("goals/pusher", pixels=True), jax.random.key(0))


def test_a_step_ends_where_many_tiny_ones_do(move):
  bodies, actions = near_contacts(0)
  expected = slow_move(bodies, actions)
  assert (expected[:, 1] != bodies[:, 1]).any(-1).sum() > 200
  np.testing.assert_allclose(move(bodies, actions), expected, atol=1e-3)


def test_hand_and_puck_stay_on_the_table_and_apart_and_only_a_touch_moves_the_puck(env):
  key = jax.random.key(1)
  bodies = jax.vmap(env.anywhere)(jax.random.split(key, COUNT))
  actions = jnp.clip(3 * jax.random.normal(key, (50, COUNT, 2), jnp.float32), -1, 1)

  def step(body, action):
    after = jax.vmap(env.move)(body, action)
    return after, after

  path = np.asarray(jax.jit(lambda b, a: jax.lax.scan(step, b, a)[1])(bodies, actions))
  path = np.concatenate([np.asarray(bodies)[None], path])
  assert (abs(path - MIDDLE) <= REACH + 1e-6).all()
  assert gap(path).min() > TOUCH - 1e-6
  moved = (path[1:, :, 1] != path[:-1, :, 1]).any(-1)
  assert moved.sum() > 500
  assert (gap(path[:-1])[moved] < TOUCH + np.sqrt(2) * SPEED).all()


def test_pushed_straight_the_puck_goes_as_far_as_the_hand_after_the_gap(env):
  start = body((0, 0.5), (0, 0.6))
  for _ in range(5):
    start = env.move(start, jnp.array([0, 1], jnp.float32))
  np.testing.assert_allclose(start, [(0, 0.6), (0, 0.6 + TOUCH)], atol=1e-6)
  for _ in range(5):  # more than asked for is not given; then the rim holds puck and hand
    start = env.move(start, jnp.array([0, 9], jnp.float32))
  np.testing.assert_allclose(start, [(0, 0.7 - TOUCH), (0, 0.7)], atol=1e-6)


def test_behind_a_puck_in_the_corner_there_is_room_for_the_hand(env):
  pushed = body(MIDDLE + REACH[0], MIDDLE + REACH[1])
  for _ in range(8):
    pushed = env.move(pushed, jnp.array([-1, -1], jnp.float32))
  hand = MIDDLE + REACH[0] - 8 * SPEED
  np.testing.assert_allclose(pushed, [hand, hand - TOUCH / np.sqrt(2)], atol=1e-4)


def test_the_goal_is_the_puck_and_distance_its_way(env):
  seen = env.view(body((0, 0.5), (0, 0.6)))
  for share, found in ((0.99, True), (1.01, False)):
    goal = env.view(body((0.2, 0.75), (0.8 * share * RADIUS, 0.6 - 0.6 * share * RADIUS)))
    for a, b in ((seen, goal), (goal, seen)):
      np.testing.assert_allclose(env.distance(a, b), share * RADIUS, rtol=1e-4)
      assert bool(env.reached(a, b)) is found


def test_reset_to_puts_body_and_goal_and_the_goal_pays_and_ends(env):
  first = body((0, 0.54), (0, 0.6))
  goal = env.view(body((0.1, 0.5), (0, 0.645)))
  state, timestep = env.reset_to(first, goal)
  np.testing.assert_array_equal(timestep.observation["view"], env.view(first))
  np.testing.assert_array_equal(timestep.observation["goal"], goal)
  step = jax.jit(env.step)
  for reward in (0, 1):  # the puck is then 30 and 10 mm away
    assert timestep.discount == 1
    state, timestep = step(state, jnp.array([0, 1], jnp.float32))
    assert timestep.reward == reward
  assert timestep.last()
  assert timestep.discount == 0


def test_goals_are_drawn_evenly_and_far_ones_from_the_farthest_third(env):
  away = {}
  for far in (False, True):
    bodies = draw(lambda key, far=far: env.anywhere(key, far))
    assert (abs(bodies - MIDDLE) <= REACH).all()
    assert gap(bodies).min() >= TOUCH
    share = (bodies - MIDDLE) / REACH
    assert (abs(share.mean(0)) < 0.15).all()
    assert (np.quantile(share, 0.03, axis=0) < -0.8).all()
    assert (np.quantile(share, 0.97, axis=0) > 0.8).all()
    away[far] = np.linalg.norm(bodies[:, 1] - START[1], axis=-1)
  assert away[True].min() > np.quantile(away[False], 2 / 3) - 0.01


def test_episodes_begin_at_the_start_or_anywhere(env):
  np.testing.assert_array_equal(draw(env.start), np.broadcast_to(START, (COUNT, 2, 2)))
  anywhere = envs.make("goals/pusher", random_start=True)
  np.testing.assert_array_equal(draw(anywhere.start), draw(anywhere.anywhere))


def test_pixels_tell_positions(env):
  pixels = envs.make("goals/pusher", pixels=True)
  bodies = draw(env.anywhere)
  bodies[:4] = MIDDLE + REACH * np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)])[:, None]
  views, read = jax.jit(jax.vmap(lambda b: (pixels.view(b), pixels.positions(pixels.view(b)))))(
    bodies.astype(np.float32)
  )
  assert views.shape[1:] == pixels.view_spec().shape
  np.testing.assert_allclose(read, bodies, atol=1e-4)
  np.testing.assert_allclose(env.positions(env.view(bodies[5])), bodies[5], atol=1e-6)


def test_oracle_tells_the_cell_of_the_puck(env):
  goal = env.view(jnp.asarray(START))
  for puck, row, column in (((-0.15, 0.7), 0, 0), ((0.15, 0.5), 9, 14), ((0.03, 0.61), 4, 9)):
    state, _ = env.reset_to(body((-0.2, 0.45), puck), goal)
    assert env.oracle(state).place == row * COLUMNS + column
  assert env.places().reachable.all()


def test_picture_shows_hand_puck_and_goal(env):
  state, _ = env.reset_to(body((-0.1, 0.5), (0.1, 0.65)), env.view(body((0, 0.7), (0, 0.55))))
  picture = np.asarray(env.render(state)).astype(int)
  red, green, blue = (picture.argmax(-1) == channel for channel in range(3))
  painted = np.ptp(picture, -1) > 30
  for colour, radius in ((red, HAND), (green, PUCK), (blue, PUCK)):
    assert (colour & painted).sum() == pytest.approx(np.pi * (radius / 0.002) ** 2, rel=0.1)


def test_settings_that_mean_nothing_are_refused():
  with pytest.raises(ValueError, match="goals is 'near'"):
    envs.make("goals/pusher", goals="near")
