"""Compiled rollouts: whole episodes and their recordings, and streams of them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from envs.auto_reset import AutoReset
from envs.environment import Environment, restart, transition
from experiments.acting import episodes, rollout
from experiments.acting.policy import RandomPolicy


class State(NamedTuple):
  length: jax.Array
  steps: jax.Array
  key: jax.Array


class Coins(Environment):
  """Lasts 1 to 6 steps, drawn at the start; pays the action, and success takes two of them."""

  max_episode_steps = 6
  success_return = 2.0

  def reset(self, key):
    state = State(jax.random.randint(key, (), 1, 7, jnp.int32), jnp.int32(0), key)
    return state, restart(self.observe(state))

  def step(self, state, action):
    state = state._replace(steps=state.steps + 1)
    reward = action.astype(jnp.float32)
    return state, transition(self.observe(state), reward, state.steps == state.length)

  def observe(self, state):
    return jnp.float32([0.0]) + state.steps

  def observation_spec(self):
    return specs.Array((1,), np.float32)

  def action_spec(self):
    return specs.DiscreteArray(2, np.int32)


ENV, B = Coins(), 16
POLICY = RandomPolicy(ENV.action_spec())
RECORDER = rollout.Recorder(
  arrivals=lambda acting: (acting.env_state, acting.timestep.observation),
  steps=lambda step: (step.action, step.after.timestep.reward),
)


@pytest.fixture(scope="module")
def played():
  play = jax.jit(lambda key: rollout.episodes(ENV, POLICY, (), B, key, RECORDER))
  return play(jax.random.key(3))


def test_scores_are_those_of_the_recorded_steps(played):
  scores, recording = played
  action, reward = map(np.asarray, recording.steps)
  np.testing.assert_array_equal(action, reward)
  for i, length in enumerate(np.asarray(scores.length)):
    rewards = reward[:length, i]
    assert scores.episode_return[i] == rewards.sum()
    assert scores.success[i] == (rewards.sum() >= 2)
    discounted = (rewards * 0.99 ** np.arange(length)).sum()
    assert scores.discounted_return[i] == pytest.approx(discounted, rel=1e-5)


def test_every_episode_is_whole_and_one_an_environment(played):
  scores, recording = played
  state, observation = recording.arrivals
  np.testing.assert_array_equal(scores.length, state.length[0])
  assert len(np.unique(scores.length)) > 2
  longest = int(scores.length.max())
  for t in range(longest + 1):
    np.testing.assert_array_equal(observation[t, :, 0], t)


def test_first_is_how_the_episodes_of_a_key_begin(played):
  _, recording = played
  state, timestep = rollout.first(ENV, B, jax.random.key(3))
  recorded = jax.tree.map(lambda x: x[0], recording.arrivals[0])
  np.testing.assert_array_equal(state.length, recorded.length)
  np.testing.assert_array_equal(jax.random.key_data(state.key), jax.random.key_data(recorded.key))
  np.testing.assert_array_equal(timestep.observation, recording.arrivals[1][0])


def test_a_limit_cuts_episodes_off():
  scores, recording = rollout.episodes(ENV, POLICY, (), B, jax.random.key(3), RECORDER, limit=3)
  assert scores.length.max() == 3
  assert recording.arrivals[1].shape == (4, B, 1)
  assert recording.steps[0].shape == (3, B)


def test_a_stream_goes_on_over_ends_and_folds_what_it_is_told_to():
  stream, keys = AutoReset(ENV), jax.random.split(jax.random.key(1), 30)

  def fold(count, step):
    return count + step.after.timestep.last(), step.after.timestep

  acting = rollout.start(stream, POLICY, B, jax.random.key(2))
  _, ended, timesteps = rollout.scan(stream, POLICY, (), acting, keys, fold, jnp.zeros(B, int))
  last = np.asarray(timesteps.last())
  np.testing.assert_array_equal(ended, last.sum(axis=0))
  np.testing.assert_array_equal(timesteps.first()[1:], last[:-1])


def test_sums_are_over_the_episodes_that_ended():
  stats = episodes.EpisodeStats(jnp.float32([[1.0, 5.0, 2.0]]), jnp.int32([[4, 9, 3]]))
  sums = episodes.sums(stats, jnp.array([[True, False, True]]), 2.0)
  assert {name: float(x) for name, x in sums.items()} == {
    "episodes": 2,
    "return_sum": 3,
    "length_sum": 7,
    "success_sum": 1,
    "success_known": 2,
  }
