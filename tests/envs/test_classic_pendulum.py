"""Pendulum against gymnasium's Pendulum-v1."""

import math

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.classic.pendulum import MAX_TORQUE, Pendulum, PendulumState
from envs.conformance import check
from envs.environment import LAST, MID


def play_gymnasium(start, actions):
  """States [T+1, 2], and observations [T, 3], rewards and truncations [T] of an episode."""
  env = gymnasium.make("Pendulum-v1")
  env.reset(seed=0)
  env.unwrapped.state = np.array(start, np.float64)
  states, steps = [start], []
  for action in actions:
    observation, reward, terminated, truncated, _ = env.step(MAX_TORQUE * action)
    assert not terminated
    states.append(env.unwrapped.state)
    steps.append((observation, reward, truncated))
  return np.array(states), *map(np.array, zip(*steps, strict=True))


def at(states, times):
  theta, theta_dot = jnp.asarray(states, jnp.float32).T
  return PendulumState(theta, theta_dot, jnp.asarray(times, jnp.int32))


def assert_agree(played, observations, rewards, truncated, tolerance):
  np.testing.assert_allclose(played.observation, observations, rtol=0, atol=tolerance)
  np.testing.assert_allclose(played.reward, rewards, rtol=1e-5, atol=tolerance)
  np.testing.assert_array_equal(played.step_type, np.where(truncated, LAST, MID))
  np.testing.assert_array_equal(played.discount, 1.0)


STARTS = [(3.0, 0.5), (0.1, -0.9), (-1.5, 1.0)]


# Rounding errors grow where a pendulum passes its top, so that no tolerance holds for all starts:
# these whole episodes are followed to 1e-3, each single step to 1e-5.
@pytest.mark.parametrize("start", STARTS)
def test_a_whole_episode_of_random_torques_agrees_with_gymnasium(start):
  env, rng = Pendulum(), np.random.default_rng(1)
  actions = rng.uniform(-1, 1, (200, 1)).astype(np.float32)
  _, *theirs = play_gymnasium(start, actions)
  _, played = jax.jit(lambda state: jax.lax.scan(env.step, state, actions))(at(start, 0))
  assert_agree(played, *theirs, tolerance=1e-3)
  assert played.step_type[-1] == LAST


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("reach", [1.0, 3.0])  # beyond the bounds, both cut the torque
def test_every_step_agrees_with_gymnasium(start, reach):
  rng = np.random.default_rng(2)
  actions = rng.uniform(-reach, reach, (200, 1)).astype(np.float32)
  states, *theirs = play_gymnasium(start, actions)
  _, played = jax.vmap(Pendulum().step)(at(states[:-1], np.arange(200)), actions)
  assert_agree(played, *theirs, tolerance=2e-5)


def test_the_speed_is_cut_as_gymnasiums():
  states, *theirs = play_gymnasium((1.5, 7.9), np.ones((5, 1), np.float32))
  assert states[1, 1] == 8.0
  _, played = jax.vmap(Pendulum().step)(at(states[:-1], np.arange(5)), np.ones((5, 1), np.float32))
  assert_agree(played, *theirs, tolerance=2e-5)


def test_the_start_is_drawn_evenly_as_gymnasiums():
  state, _ = jax.vmap(Pendulum().reset)(jax.random.split(jax.random.key(0), 4000))
  even = np.linspace(-1, 1, 11)
  np.testing.assert_allclose(np.quantile(state.theta, even / 2 + 0.5), math.pi * even, atol=0.2)
  np.testing.assert_allclose(np.quantile(state.theta_dot, even / 2 + 0.5), even, atol=0.06)


def test_conforms():
  check(envs.make("pendulum"), steps=50)


def test_render_shows_the_pendulum_counter_clockwise_of_upright():
  picture = np.asarray(jax.jit(Pendulum().render)(at((0.5, 0.0), 0)))
  assert (picture.shape, picture.dtype) == ((80, 80, 3), np.uint8)
  row, column = np.argwhere((picture == (205, 70, 60)).all(axis=-1)).mean(axis=0)
  assert row < 20
  assert column < 30
