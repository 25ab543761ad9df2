"""RND against NumPy, and what it pays for the familiar and the unseen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import rnd
from agents.bonuses.rnd import RNDConfig
from tests.agents.bonuses.slow_networks import CONTEXT, familiar_and_unseen, mlp
from tests.agents.bonuses.small_world import KEY

LENGTH, BATCH = 6, 4
CONFIG = RNDConfig(size=8)


def slow_errors(params, statistics, seen, observation):
  """The errors [T, B] of one trajectory, from all observations that were ever seen."""
  mean, deviation = seen.mean(axis=0), seen.std(axis=0)
  errors = np.zeros((LENGTH, BATCH))
  for t in range(LENGTH):
    for b in range(BATCH):
      x = np.clip((observation[t + 1, b] - mean) / deviation, -5, 5)
      hidden = np.maximum(mlp(params["torso"], x), 0.0)
      errors[t, b] = np.mean((mlp(params["last"], hidden) - mlp(statistics.target, x)) ** 2)
  return errors


@pytest.mark.parametrize("jitted", [True, False])
def test_rewards_of_two_batches_equal_a_slow_version(make_trajectory, jitted):
  bonus = rnd.build(CONFIG, CONTEXT)
  reward = jax.jit(bonus.reward) if jitted else bonus.reward
  params, statistics = bonus.init(KEY)
  rng = np.random.default_rng(0)
  seen = np.zeros((0, 3))
  for scale in (1.0, 7.0):
    trajectory = make_trajectory(rng, LENGTH, BATCH)
    trajectory = trajectory._replace(observation=scale * trajectory.observation)
    observation = np.asarray(trajectory.observation, np.float64)
    seen = np.concatenate([seen, observation[1:].reshape(-1, 3)])
    rewards, statistics, _ = reward(params, statistics, trajectory, None, KEY)
    expected = slow_errors(params, statistics, seen, observation)
    np.testing.assert_allclose(rewards, expected, rtol=3e-3, atol=1e-4)


def test_a_share_of_the_experience_trains_the_predictor(make_trajectory):
  bonus = rnd.build(RNDConfig(size=8, share=0.4), CONTEXT)
  params, statistics = bonus.init(KEY)
  trajectory = make_trajectory(np.random.default_rng(1), LENGTH, BATCH)
  errors, statistics, _ = bonus.reward(params, statistics, trajectory, None, KEY)
  used = np.asarray(jax.random.bernoulli(KEY, 0.4, (LENGTH, BATCH)))
  loss = bonus.loss(params, statistics, trajectory, None, KEY)
  np.testing.assert_allclose(loss, np.asarray(errors)[used].mean(), rtol=1e-5)


def test_the_random_network_gets_no_gradient_and_never_changes(make_trajectory):
  bonus = rnd.build(CONFIG, CONTEXT)
  params, statistics = bonus.init(KEY)
  trajectory = make_trajectory(np.random.default_rng(2), LENGTH, BATCH)
  _, new, _ = bonus.reward(params, statistics, trajectory, None, KEY)
  jax.tree.map(np.testing.assert_array_equal, new.target, statistics.target)

  def loss(target):
    return bonus.loss(params, new._replace(target=target), trajectory, None, KEY)

  gradient = jax.grad(loss)(new.target)
  assert all(not jnp.any(g) for g in jax.tree.leaves(gradient))


def test_a_familiar_loop_pays_far_less_than_unseen_observations():
  familiar, unseen = familiar_and_unseen(rnd.build(CONFIG, CONTEXT))
  assert familiar < 0.02 * unseen


def test_a_share_outside_its_range_is_a_clear_error():
  with pytest.raises(ValueError, match="share is 0"):
    RNDConfig(share=0.0)
