"""The bonus e3b: ellipses of episodes, against matrices inverted anew at each step."""

import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import e3b, inverse_dynamics
from agents.bonuses.e3b import E3BConfig
from agents.bonuses.episodic import advance, replay
from envs.environment import FIRST
from tests.agents.bonuses.small_world import (
  KEY,
  SIZE,
  context,
  part,
  remember,
  reward_of,
  starting,
  walk,
)

LENGTH, BATCH = 14, 4
CONFIG = E3BConfig(size=6)


@pytest.fixture(scope="module")
def bonus():
  return e3b.build(CONFIG, context())


def slow_rewards(embedded, types):
  """phi' inv(lambda I + sum phi phi') phi in float64, from lists of what an episode showed."""
  rewards = np.zeros((embedded.shape[0] - 1, embedded.shape[1]))
  for b in range(embedded.shape[1]):
    shown = []
    for t in range(embedded.shape[0]):
      if types[t, b] == FIRST:
        shown = []
      if t > 0:
        inverse = np.linalg.inv(0.1 * np.eye(6) + sum(np.outer(x, x) for x in shown))
        rewards[t - 1, b] = embedded[t, b] @ inverse @ embedded[t, b]
      shown.append(embedded[t, b])
  return rewards


@pytest.mark.parametrize("jitted", [True, False])
def test_rewards_equal_a_slow_version(make_trajectory, bonus, jitted):
  params, statistics = bonus.init(KEY)
  trajectory = make_trajectory(np.random.default_rng(0), LENGTH, BATCH, size=SIZE)
  trajectory = starting(trajectory, bonus.initial_memory(BATCH))
  rewards, _, _ = reward_of(bonus, jitted)(params, statistics, trajectory)
  embedded = inverse_dynamics.build(context(), 6).embed(params, trajectory.observation)
  expected = slow_rewards(np.asarray(embedded, np.float64), np.asarray(trajectory.step_type))
  np.testing.assert_allclose(rewards, expected, rtol=2e-3, atol=1e-5)


def test_two_chunks_are_paid_as_one(make_trajectory, bonus):
  params, statistics = bonus.init(KEY)
  whole = make_trajectory(np.random.default_rng(1), LENGTH, BATCH, size=SIZE)
  whole = starting(whole, bonus.initial_memory(BATCH))
  reward = reward_of(bonus, True)
  together, _, _ = reward(params, statistics, whole)
  half = LENGTH // 2
  start = bonus.initial_memory(BATCH)
  carried = remember(bonus, params, statistics, start, whole, half)
  first, _, _ = reward(params, statistics, part(whole, 0, half, start))
  second, _, _ = reward(params, statistics, part(whole, half, LENGTH, carried))
  np.testing.assert_allclose(jnp.concatenate([first, second]), together, rtol=1e-4, atol=1e-6)


def test_acting_remembers_what_learning_goes_through(make_trajectory, bonus):
  params, statistics = bonus.init(KEY)
  trajectory = make_trajectory(np.random.default_rng(2), LENGTH, BATCH, size=SIZE)
  start = bonus.initial_memory(BATCH)
  acted = remember(bonus, params, statistics, start, trajectory, LENGTH + 1)
  embedded = inverse_dynamics.build(context(), 6).embed(params, trajectory.observation)
  _, learned = replay(e3b.ellipse(6, 0.1), start, embedded, trajectory.first)
  np.testing.assert_allclose(acted, learned, rtol=1e-4, atol=1e-5)


def test_an_episode_starts_from_nothing(bonus):
  params, statistics = bonus.init(KEY)
  rng = np.random.default_rng(3)
  episode, before = rng.normal(size=(6, SIZE)), rng.normal(size=(4, SIZE))
  reward = reward_of(bonus, True)
  memory = bonus.initial_memory(1)
  alone, _, _ = reward(params, statistics, walk(episode, [6], memory))
  late = walk(np.concatenate([before, episode]), [4, 6], memory)
  after, _, _ = reward(params, statistics, late)
  np.testing.assert_allclose(after[4:], alone, rtol=1e-4)


def test_what_an_episode_repeats_pays_ever_less(bonus):
  params, statistics = bonus.init(KEY)
  x, y = np.random.default_rng(4).normal(size=(2, SIZE))
  loop = walk(np.resize([x, y], (21, SIZE)), [21], bonus.initial_memory(1))
  rewards = np.asarray(reward_of(bonus, True)(params, statistics, loop)[0])[:, 0]
  assert (rewards[2:] < rewards[:-2]).all()
  assert rewards[-1] < 0.2 * rewards[0]


def test_the_inverse_stays_true_over_a_long_episode():
  rng = np.random.default_rng(5)
  shown = rng.normal(size=(1000, 1, 6))
  memories = e3b.ellipse(6, 0.1)
  _, inverse = replay(
    memories, memories.initial(1), jnp.asarray(shown, jnp.float32), jnp.zeros((1000, 1), bool)
  )
  expected = np.linalg.inv(0.1 * np.eye(6) + np.einsum("tbi,tbj->ij", shown, shown))
  np.testing.assert_allclose(inverse[0], expected, rtol=1e-2, atol=1e-5)


def test_only_environments_that_begin_anew_forget():
  memories = e3b.ellipse(2, 0.5)
  embedded = jnp.ones((2, 2), jnp.float32)
  seen = advance(memories, memories.initial(2), embedded, jnp.array([True, True]))
  again = advance(memories, seen, embedded, jnp.array([True, False]))
  np.testing.assert_allclose(again[0], seen[0])
  assert float(again[1, 0, 0]) < float(seen[1, 0, 0])


def test_a_ridge_of_zero_is_a_clear_error():
  with pytest.raises(ValueError, match="ridge"):
    E3BConfig(ridge=0.0)
