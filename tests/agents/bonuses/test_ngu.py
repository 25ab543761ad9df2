"""The bonus ngu: pseudo-counts of the episode, with RND's errors beside them."""

import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import inverse_dynamics, ngu, normaliser, rnd
from agents.bonuses.ngu import NGUConfig
from envs.environment import LAST
from tests.agents.bonuses.small_world import KEY, SIZE, context, reward_of, starting
from tests.agents.bonuses.test_pseudo_counts import BATCH, LENGTH, slow_distances

EMBEDDING = 6


@pytest.fixture(scope="module")
def bonus():
  return ngu.build(NGUConfig(size=EMBEDDING, neighbours=3, capacity=5), context())


def slow_rewards(distances, errors, real, scale, mean, std):
  """Algorithm 1 of the paper, a transition at a time."""
  rewards = np.zeros(real.shape)
  for t, b in np.argwhere(real):
    kernel = [1e-4 / (max(d / scale - 0.008, 0.0) + 1e-4) for d in distances[t][b]]
    similarity = np.sqrt(sum(kernel)) + 1e-3
    episodic = 0.0 if similarity > 8.0 else 1.0 / similarity
    rewards[t, b] = episodic * np.clip(1.0 + (errors[t, b] - mean) / std, 1.0, 5.0)
  return rewards


@pytest.mark.parametrize("jitted", [True, False])
def test_rewards_of_two_batches_equal_a_slow_version(make_trajectory, bonus, jitted):
  rng = np.random.default_rng(0)
  params, statistics = bonus.init(KEY)
  lifelong = rnd.build(rnd.RNDConfig(), context())
  known = statistics.lifelong
  reward = reward_of(bonus, jitted)
  scale = first = second = weight = 0.0
  for _ in range(2):
    trajectory = make_trajectory(rng, LENGTH, BATCH, size=SIZE)
    trajectory = starting(trajectory, bonus.initial_memory(BATCH))
    rewards, statistics, _ = reward(params, statistics, trajectory)
    types = np.asarray(trajectory.step_type)
    real = types[:-1] != LAST
    encoder = inverse_dynamics.build(context(), EMBEDDING)
    embedded = np.asarray(encoder.embed(params["inverse"], trajectory.observation), np.float64)
    errors, known, _ = lifelong.reward(params["lifelong"], known, trajectory, None, KEY)
    errors = np.asarray(errors, np.float64)
    distances = slow_distances(embedded, types)
    found = [d for t, b in np.argwhere(real) for d in distances[t][b]]
    weight = 0.99 * weight + 0.01
    scale = 0.99 * scale + 0.01 * np.mean(found)
    first = 0.99 * first + 0.01 * np.mean(errors[real])
    second = 0.99 * second + 0.01 * np.mean(errors[real] ** 2)
    mean = first / weight
    std = np.sqrt(second / weight - mean**2 + 1e-8)
    expected = slow_rewards(distances, errors, real, scale / weight, mean, std)
    np.testing.assert_allclose(np.where(real, rewards, 0.0), expected, rtol=5e-3, atol=1e-3)


def test_the_modulation_is_one_for_the_usual_and_at_most_five():
  values = jnp.asarray([[1.0, 3.0]])  # mean 2, deviation 1
  state = normaliser.update(normaliser.init(), values, jnp.ones((1, 2), bool), 0.99)
  errors = jnp.asarray([0.0, 2.0, 3.5, 100.0])
  np.testing.assert_allclose(ngu.modulation(errors, state), [1.0, 1.0, 2.5, 5.0], rtol=1e-5)
