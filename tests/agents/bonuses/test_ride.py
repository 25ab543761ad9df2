"""The bonus ride: impact in NumPy over counts of lists."""

import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import ride
from agents.bonuses.ride import RIDEConfig
from envs.environment import LAST
from tests.agents.bonuses.slow_networks import mlp
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
from tests.agents.bonuses.test_episodic_counts import slow_counts

LENGTH, BATCH = 14, 4
CONFIG = RIDEConfig(size=6, capacity=32, forward_weight=3.0)


@pytest.fixture(scope="module")
def bonus():
  return ride.build(CONFIG, context())


def repeating(make_trajectory, rng):
  """A trajectory through four observations."""
  trajectory = make_trajectory(rng, LENGTH, BATCH, size=SIZE)
  corners = rng.normal(size=(4, SIZE))
  where = rng.integers(0, 4, trajectory.reward.shape)
  return trajectory._replace(observation=jnp.asarray(corners[where], jnp.float32)), where


def test_rewards_and_loss_equal_a_slow_version(make_trajectory, bonus, quick_jit):
  params, statistics = bonus.init(KEY)
  trajectory, where = repeating(make_trajectory, np.random.default_rng(0))
  trajectory = starting(trajectory, bonus.initial_memory(BATCH))
  rewards, _, _ = reward_of(bonus, True)(params, statistics, trajectory)
  n = slow_counts(where.tolist(), np.asarray(trajectory.step_type), 32)
  impact, told, foreseen = np.zeros((3, LENGTH, BATCH))
  observation, actions = np.asarray(trajectory.observation), np.asarray(trajectory.action)
  for t, b in np.ndindex(LENGTH, BATCH):
    before, after = (mlp(params["inverse"]["embedding"], observation[s, b]) for s in (t, t + 1))
    impact[t, b] = np.sqrt(np.sum((after - before) ** 2))
    action = int(actions[t, b])
    predicted = mlp(params["forward"], np.concatenate([before, np.eye(2)[action]]))
    foreseen[t, b] = 0.5 * np.sum((predicted - after) ** 2)
    logits = mlp(params["inverse"]["head"], np.concatenate([before, after]))
    told[t, b] = np.log(np.sum(np.exp(logits))) - logits[action]
  np.testing.assert_allclose(rewards, impact / np.sqrt(n), rtol=2e-3, atol=1e-4)
  real = np.asarray(trajectory.step_type[:-1]) != LAST
  loss = quick_jit(lambda params: bonus.loss(params, statistics, trajectory, None, KEY))(params)
  expected = 3.0 * foreseen[real].mean() + 0.8 * told[real].mean()
  np.testing.assert_allclose(loss, expected, rtol=1e-3)


def test_two_chunks_are_paid_as_one(make_trajectory, bonus):
  params, statistics = bonus.init(KEY)
  whole, _ = repeating(make_trajectory, np.random.default_rng(1))
  start, half = bonus.initial_memory(BATCH), LENGTH // 2
  reward = reward_of(bonus, True)
  together, _, _ = reward(params, statistics, starting(whole, start))
  carried = remember(bonus, params, statistics, start, whole, half)
  first, _, _ = reward(params, statistics, part(whole, 0, half, start))
  second, _, _ = reward(params, statistics, part(whole, half, LENGTH, carried))
  np.testing.assert_allclose(jnp.concatenate([first, second]), together, rtol=1e-4, atol=1e-6)


def test_standing_still_pays_nothing_and_going_back_and_forth_ever_less(bonus):
  params, statistics = bonus.init(KEY)
  x, y = np.random.default_rng(2).normal(size=(2, SIZE))
  reward = reward_of(bonus, True)
  there = walk([x, x, y, x, y, x, y], [7], bonus.initial_memory(1))
  rewards = np.asarray(reward(params, statistics, there)[0])[:, 0]
  assert rewards[0] == 0.0
  # x was shown twice before it is come back to, y once.
  np.testing.assert_allclose(rewards[1:] / rewards[1], 1 / np.sqrt([1, 3, 2, 4, 3]), rtol=1e-4)


def test_an_episode_starts_from_nothing(bonus):
  params, statistics = bonus.init(KEY)
  corners = np.random.default_rng(3).normal(size=(2, SIZE))
  episode, before = corners[[0, 1, 0, 1]], corners[[1, 0, 1]]
  reward, memory = reward_of(bonus, True), bonus.initial_memory(1)
  alone, _, _ = reward(params, statistics, walk(episode, [4], memory))
  late = walk(np.concatenate([before, episode]), [3, 4], memory)
  np.testing.assert_allclose(reward(params, statistics, late)[0][3:], alone, rtol=1e-5)


def test_a_weight_below_zero_is_a_clear_error():
  with pytest.raises(ValueError, match="forward_weight is -1"):
    RIDEConfig(forward_weight=-1.0)
