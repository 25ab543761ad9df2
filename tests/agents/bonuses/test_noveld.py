"""The bonus noveld: RND's errors in NumPy, at first visits by lists."""

import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import noveld
from agents.bonuses.noveld import NovelDConfig
from tests.agents.bonuses.slow_networks import mlp
from tests.agents.bonuses.small_world import KEY, SIZE, context, reward_of, starting, walk
from tests.agents.bonuses.test_episodic_counts import slow_counts
from tests.agents.bonuses.test_ride import BATCH, LENGTH, repeating

CONFIG = NovelDConfig(size=8, alpha=0.7, capacity=32)


@pytest.fixture(scope="module")
def bonus():
  return noveld.build(CONFIG, context())


def slow_novelty(params, target, seen, observation):
  """||p(x) - f(x)|| of one observation, whitened by all that was seen."""
  x = np.clip((observation - seen.mean(axis=0)) / (seen.std(axis=0) + 1e-4), -5, 5)
  hidden = np.maximum(mlp(params["torso"], x), 0.0)
  return np.linalg.norm(mlp(params["last"], hidden) - mlp(target, x))


def test_rewards_of_two_batches_equal_a_slow_version(make_trajectory, bonus):
  params, statistics = bonus.init(KEY)
  reward, rng = reward_of(bonus, True), np.random.default_rng(0)
  seen = np.zeros((0, SIZE))
  for _ in range(2):
    trajectory, where = repeating(make_trajectory, rng)
    trajectory = starting(trajectory, bonus.initial_memory(BATCH))
    rewards, statistics, _ = reward(params, statistics, trajectory)
    observation = np.asarray(trajectory.observation, np.float64)
    seen = np.concatenate([seen, observation[1:].reshape(-1, SIZE)])
    n = slow_counts(where.tolist(), np.asarray(trajectory.step_type), 32)
    assert (n == 1).any()
    assert (n > 1).any()
    for t, b in np.ndindex(LENGTH, BATCH):
      before, after = (
        slow_novelty(params, statistics.lifelong.target, seen, observation[s, b])
        for s in (t, t + 1)
      )
      expected = max(after - 0.7 * before, 0.0) if n[t, b] == 1 else 0.0
      np.testing.assert_allclose(rewards[t, b], expected, rtol=5e-3, atol=2e-3)


def test_only_the_first_visit_of_each_episode_pays(bonus):
  params, statistics = bonus.init(KEY)
  x, y = np.random.default_rng(1).normal(size=(2, SIZE))
  loop = walk([x, y, x, y, x, y, x, y], [4, 4], bonus.initial_memory(1))
  rewards = np.asarray(reward_of(bonus, True)(params, statistics, loop)[0])[:, 0]
  # y for the first time of each episode; what is said of the step between them is ignored.
  assert rewards[0] > 0.0
  np.testing.assert_allclose(rewards[[1, 2, 4, 5, 6]], [0, 0, rewards[0], 0, 0], rtol=1e-5)


def test_the_loss_is_that_of_the_distillation(make_trajectory, bonus):
  params, statistics = bonus.init(KEY)
  trajectory, _ = repeating(make_trajectory, np.random.default_rng(2))
  trajectory = starting(trajectory, bonus.initial_memory(BATCH))
  _, statistics, _ = bonus.reward(params, statistics, trajectory, None, KEY)
  loss = bonus.loss(params, statistics, trajectory, None, KEY)
  seen = np.asarray(trajectory.observation, np.float64)[1:].reshape(-1, SIZE)
  target = statistics.lifelong.target
  expected = np.mean([slow_novelty(params, target, seen, x) ** 2 / 8 for x in seen])
  np.testing.assert_allclose(loss, expected, rtol=1e-2)


def test_a_full_memory_pays_for_its_oldest_again():
  small = noveld.build(NovelDConfig(size=8, alpha=0.0, capacity=2), context())
  params, statistics = small.init(KEY)
  x, y, z = np.random.default_rng(3).normal(size=(3, SIZE))
  loop = walk(jnp.asarray([x, y, z, x, z]), [5], small.initial_memory(1))
  rewards = np.asarray(reward_of(small, True)(params, statistics, loop)[0])[:, 0]
  np.testing.assert_array_equal(rewards > 0.0, [True, True, True, False])


def test_a_negative_alpha_is_a_clear_error():
  with pytest.raises(ValueError, match="alpha is -1"):
    NovelDConfig(alpha=-1.0)
