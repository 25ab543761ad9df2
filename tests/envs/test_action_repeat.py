"""Repeated actions against a loop that repeats them, over the end of an episode too."""

import dm_env
import jax
import numpy as np
import pytest

import envs
from envs.action_repeat import repeat_actions, repeated_steps, step_repeatedly
from envs.classic.catch import Catch
from envs.classic.pendulum_swingup import PendulumSwingup
from envs.classic.point_mass import PointMass
from envs.conformance import check
from envs.environment import LAST


def repeat_slowly(env, state, action, count):
  """States, time steps and rewards of a plain loop that stops at the end of the episode."""
  reward = 0.0
  for _ in range(count):
    state, timestep = env.step(state, action)
    reward += float(timestep.reward)
    if timestep.step_type == LAST:
      break
  return state, timestep, reward


@pytest.mark.parametrize("jitted", [True, False])
def test_pendulum_goes_where_a_loop_takes_it_and_earns_what_the_loop_earns(jitted):
  plain, repeated = PendulumSwingup(), repeat_actions(PendulumSwingup(), 4)
  step = jax.jit(repeated.step) if jitted else repeated.step
  state, _ = plain.reset(jax.random.key(4))
  state = state._replace(theta=jax.numpy.float32(0.1))  # upright at first, so that it is paid
  earned = 0.0
  for action in np.random.default_rng(0).uniform(-1, 1, (5, 1)).astype(np.float32):
    after, timestep = step(state, action)
    state, last, reward = repeat_slowly(plain, state, action, 4)
    jax.tree.map(np.testing.assert_allclose, after, state)
    np.testing.assert_allclose(timestep.observation, last.observation, rtol=1e-6)
    assert float(timestep.reward) == reward
    earned += reward
  assert 0 < earned < 20


def test_an_episode_that_ends_on_the_way_keeps_its_last_step_and_its_reward():
  plain, repeated = Catch(), repeat_actions(Catch(), 4)
  state, _ = plain.reset(jax.random.key(0))
  for ends in (False, False, True):  # nine steps an episode
    after, timestep = repeated.step(state, jax.numpy.int32(1))
    state, last, reward = repeat_slowly(plain, state, jax.numpy.int32(1), 4)
    jax.tree.map(
      np.testing.assert_array_equal,
      (after, timestep._replace(reward=reward)),
      (state, last._replace(reward=reward)),
    )
    assert float(timestep.reward) == reward
    assert (timestep.step_type == LAST) == ends


@pytest.mark.parametrize(("count", "steps"), [(1, 1000), (3, 334), (8, 125), (2000, 1)])
def test_episodes_are_counted_in_actions(count, steps):
  assert repeat_actions(PointMass(), count).max_episode_steps == steps


@pytest.mark.parametrize("name", ["pendulum_swingup", "point_mass"])
def test_registered_tasks_conform_when_actions_repeat(name):
  check(envs.make(name, action_repeat=20), steps=60)


@pytest.mark.parametrize("count", [0, -2, 1.0, 1.5])
@pytest.mark.parametrize("name", ["point_mass", "dm_control/point_mass_easy"])
def test_a_count_that_is_no_integer_from_one_on_is_refused(name, count):
  if "/" in name:
    pytest.importorskip("dm_control")
  with pytest.raises(ValueError, match=f"action_repeat is {count}; it must be an integer"):
    envs.make(name, action_repeat=count)
  with pytest.raises(ValueError, match=f"action_repeat is {count}"):
    repeated_steps(10, count)


def test_on_the_host_rewards_add_up_until_the_episode_ends():
  class Counts(dm_env.Environment):
    def __init__(self):
      self.steps = 0

    def reset(self):
      return dm_env.restart(0)

    def step(self, action):
      self.steps += 1
      end = dm_env.termination if self.steps == 3 else dm_env.transition
      return end(float(action * self.steps), self.steps)

    def observation_spec(self): ...

    def action_spec(self): ...

  env = Counts()
  first, last = step_repeatedly(env, 2, 2), step_repeatedly(env, 2, 2)
  assert (first.reward, first.observation, first.last()) == (6, 2, False)
  assert (last.reward, last.observation, last.discount) == (6, 3, 0)


def test_the_control_suite_agrees_with_repeating_by_hand():
  pytest.importorskip("dm_control")
  plain = envs.make("dm_control/point_mass_easy", stepping="serial").make(3)
  family = envs.make("dm_control/point_mass_easy", stepping="serial", action_repeat=5)
  repeated = family.make(3)
  assert family.max_episode_steps == 200
  np.testing.assert_array_equal(plain.reset().observation, repeated.reset().observation)
  for action in np.random.default_rng(0).uniform(-1, 1, (20, 2)).astype(np.float32):
    steps = [plain.step(action) for _ in range(5)]
    timestep = repeated.step(action)
    np.testing.assert_array_equal(timestep.observation, steps[-1].observation)
    assert timestep.reward == pytest.approx(sum(x.reward for x in steps))
