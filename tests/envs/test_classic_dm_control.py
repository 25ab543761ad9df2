"""Pendulum swing-up and point mass against dm_control's, which MuJoCo steps in float64."""

import contextlib
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.classic.pendulum import PendulumState
from envs.classic.pendulum_swingup import INERTIA, UPRIGHT, WEIGHT, PendulumSwingup
from envs.classic.point_mass import LIMIT, PointMass, PointMassState
from envs.conformance import check
from envs.environment import LAST, MID


@pytest.fixture(scope="module")
def suite():
  pytest.importorskip("dm_control")
  importlib.import_module("envs.host.dm_control").names()  # imports it as other tests need it
  return importlib.import_module("dm_control.suite")


@contextlib.contextmanager
def precision(dtype):
  """Lets arrays be float64 where `dtype` is."""
  jax.config.update("jax_enable_x64", dtype == np.float64)
  try:
    yield
  finally:
    jax.config.update("jax_enable_x64", False)


def play_suite(suite, domain, task, position, policy, steps):
  """Actions [T, A], observations [T, D] and rewards [T] of an episode from rest at `position`."""
  env = suite.load(domain, task, task_kwargs={"random": 0})
  env.physics.model.opt.tolerance = 0.0  # or the solver stops 1e-8 short of its answer
  env.reset()
  with env.physics.reset_context():
    env.physics.data.qpos[:] = position
  timestep, played = None, []
  for t in range(steps):
    action = np.clip(policy(t, env.physics.data.qpos, env.physics.data.qvel), -1, 1)
    timestep = env.step(action.astype(np.float32))
    observation = np.concatenate(list(timestep.observation.values()))
    played.append((action.astype(np.float32), observation, timestep.reward))
  assert timestep.last() == (steps == 1000)
  assert timestep.discount == 1.0
  return map(np.array, zip(*played, strict=True))


def play_ours(env, state, actions):
  return jax.jit(lambda state: jax.lax.scan(env.step, state, actions))(state)[1]


def assert_cut_off_after_1000(played):
  np.testing.assert_array_equal(played.discount, 1.0)
  ends = np.arange(1, len(played.discount) + 1) == 1000
  np.testing.assert_array_equal(played.step_type, np.where(ends, LAST, MID))


def random_torque(seed):
  rng = np.random.default_rng(seed)
  return lambda t, q, v: rng.uniform(-1, 1, 1)


def hold_up(t, q, v):
  """Keeps the pendulum swaying about 8 degrees, where the reward begins and ends."""
  return -4.9 * q - 5 * (q - 0.13 - 0.03 * np.sin(t / 20)) - 2.5 * v


SINGLE, DOUBLE = (np.float32, 2e-5), (np.float64, 1e-11)


@pytest.mark.parametrize(("dtype", "tolerance"), [SINGLE, DOUBLE])
@pytest.mark.parametrize(
  ("theta", "policy", "steps"),
  [(2.5, random_torque(0), 1000), (-1.0, random_torque(1), 300)],
)
def test_pendulum_swingup_agrees_with_mujoco(suite, dtype, tolerance, theta, policy, steps):
  actions, observations, rewards = play_suite(suite, "pendulum", "swingup", theta, policy, steps)
  with precision(dtype):
    start = PendulumState(jnp.asarray(theta, dtype), jnp.zeros((), dtype), jnp.int32(0))
    ours = play_ours(PendulumSwingup(), start, actions.astype(dtype))
  np.testing.assert_allclose(ours.observation, observations, rtol=0, atol=tolerance)
  np.testing.assert_array_equal(ours.reward, rewards)
  assert_cut_off_after_1000(ours)


# Near the top rounding errors grow a hundredfold a second: so each step by itself, in float32.
def test_pendulum_swingup_agrees_with_mujoco_about_the_edge_of_the_reward(suite):
  actions, observations, rewards = play_suite(suite, "pendulum", "swingup", 0.05, hold_up, 300)
  start = [np.cos(0.05), np.sin(0.05), 0.0]
  cos, sin, theta_dot = np.vstack([start, observations[:-1]]).astype(np.float32).T
  states = PendulumState(np.arctan2(sin, cos), theta_dot, np.arange(300, dtype=np.int32))
  _, ours = jax.vmap(PendulumSwingup().step)(states, actions)
  np.testing.assert_allclose(ours.observation, observations, rtol=0, atol=1e-5)
  sure = np.abs(observations[:, 0] - UPRIGHT) > 1e-5
  np.testing.assert_array_equal(ours.reward[sure], rewards[sure])
  assert sure.mean() > 0.9
  assert 0.1 < rewards.mean() < 0.9


def random_force(seed):
  rng = np.random.default_rng(seed)
  return lambda t, q, v: rng.uniform(-1, 1, 2)


def into_walls(t, q, v):
  """Against one wall or two, each for 60 steps, now full, now half."""
  direction = np.array([np.sign(np.sin(t / 60 + 1)), np.sign(np.cos(t / 90))])
  return direction * (1.0 if t % 240 < 160 else 0.5)


def to_target(t, q, v):
  """Comes to the target, and strays about it by twice its size."""
  return -20 * (q - 0.02 * np.array([np.sin(t / 15), np.cos(t / 20)])) - 2 * v


@pytest.mark.parametrize(("dtype", "tolerance"), [SINGLE, DOUBLE])
@pytest.mark.parametrize(
  ("position", "policy", "steps"),
  [
    ((0.1, -0.2), random_force(0), 300),
    ((0.28, -0.28), into_walls, 1000),
    ((0.05, 0.1), to_target, 400),
  ],
)
def test_point_mass_agrees_with_mujoco(suite, dtype, tolerance, position, policy, steps):
  actions, observations, rewards = play_suite(suite, "point_mass", "easy", position, policy, steps)
  with precision(dtype):
    start = PointMassState(jnp.asarray(position, dtype), jnp.zeros((2,), dtype), jnp.int32(0))
    ours = play_ours(PointMass(), start, actions.astype(dtype))
  np.testing.assert_allclose(ours.observation, observations, rtol=0, atol=tolerance)
  np.testing.assert_allclose(ours.reward, rewards, rtol=0, atol=max(tolerance, 1e-7))
  if policy is into_walls:
    assert (np.abs(observations[:, :2]) > LIMIT).mean() > 0.05
  if policy is to_target:
    assert rewards.max() > 0.9
    assert rewards.std() > 0.2
  assert_cut_off_after_1000(ours)


def test_pendulum_swingup_starts_at_rest_at_any_angle():
  state, _ = jax.vmap(PendulumSwingup().reset)(jax.random.split(jax.random.key(0), 4000))
  deciles = np.quantile(state.theta, np.linspace(0, 1, 11))
  np.testing.assert_allclose(deciles, np.linspace(-np.pi, np.pi, 11), atol=0.2)
  assert not state.theta_dot.any()


def test_point_mass_starts_at_rest_anywhere():
  state, _ = jax.vmap(PointMass().reset)(jax.random.split(jax.random.key(0), 4000))
  deciles = np.quantile(state.position, np.linspace(0, 1, 11), axis=0)
  np.testing.assert_allclose(deciles.T, [np.linspace(-LIMIT, LIMIT, 11)] * 2, atol=0.02)
  assert not state.velocity.any()


def push_to_middle(seen):
  """By position and speed, as a spring and a damper."""
  return jnp.clip(-60 * seen[:2] - 14 * seen[2:], -1, 1)


def swing_up(seen):
  """Gives the pendulum the energy of standing still upright, and holds it up once it is there."""
  angle, speed = jnp.arctan2(seen[1], seen[0]), seen[2]
  energy = 0.5 * INERTIA * speed**2 + WEIGHT * seen[0]
  pump = jnp.where(energy < WEIGHT + 0.3, 1, -1) * jnp.where(speed >= 0, 1, -1)
  hold = jnp.clip(-10 * angle - 2 * speed, -1, 1)
  near = (jnp.abs(angle) < 0.5) & (jnp.abs(angle + 0.22 * speed) < 0.3)
  return jnp.where(near, hold, pump)[None]


@pytest.mark.parametrize(
  ("name", "repeat", "controller", "score"),
  [
    ("point_mass", 1, push_to_middle, 903),
    ("point_mass", 8, push_to_middle, 904),
    ("pendulum_swingup", 4, swing_up, 834),
  ],
)
def test_a_controller_made_by_hand_scores_what_learned_ones_are_held_against(
  name, repeat, controller, score
):
  env = envs.make(name, action_repeat=repeat)

  @jax.jit
  @jax.vmap
  def play(key):
    def step(at, _):
      state, timestep = env.step(at[0], controller(at[1].observation))
      return (state, timestep), timestep.reward

    return jax.lax.scan(step, env.reset(key), None, length=env.max_episode_steps)[1].sum()

  returns = play(jax.random.split(jax.random.key(0), 500))
  np.testing.assert_allclose(returns.mean(), score, rtol=0.01)


@pytest.mark.parametrize("name", ["pendulum_swingup", "point_mass"])
def test_conforms(name):
  check(envs.make(name), steps=30)


def test_render_shows_the_pendulum_clockwise_of_upright():
  state = PendulumState(jnp.float32(0.5), jnp.float32(0.0), jnp.int32(0))
  picture = np.asarray(jax.jit(PendulumSwingup().render)(state))
  assert (picture.shape, picture.dtype) == ((80, 80, 3), np.uint8)
  row, column = np.argwhere((picture == (205, 70, 60)).all(axis=-1)).mean(axis=0)
  assert row < 20
  assert column > 50


def test_render_shows_ball_and_target():
  state = PointMassState(jnp.array([0.16, 0.16]), jnp.zeros((2,)), jnp.int32(0))
  picture = np.asarray(jax.jit(PointMass().render)(state))
  assert (picture.shape, picture.dtype) == ((128, 128, 3), np.uint8)
  ball = np.argwhere((picture == (205, 70, 60)).all(axis=-1)).mean(axis=0)
  target = np.argwhere((picture == (80, 200, 120)).all(axis=-1)).mean(axis=0)
  np.testing.assert_allclose(target, 63.5, atol=1)
  np.testing.assert_allclose(ball, (31.5, 95.5), atol=1)
