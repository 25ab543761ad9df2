"""The BYOL-Explore bonus, from a table of errors to rewards, against a slow version."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import bonuses
from agents.bonuses import Forecasts, Outputs, payment
from agents.bonuses.payment import PaymentConfig
from agents.world_model import table
from envs.environment import FIRST, LAST
from envs.own_modules import UnknownNameError

LENGTH, HORIZON, BATCH = 7, 3, 4
KEY = jax.random.key(0)


def random_outputs(rng, trajectory):
  valid = table.valid_pairs(trajectory.first, HORIZON)
  errors = jnp.asarray(rng.uniform(0, 4, (LENGTH, HORIZON, BATCH)), jnp.float32)
  nothing = jnp.zeros((LENGTH + 1, BATCH, 2))
  return Outputs(nothing, nothing, Forecasts(nothing, nothing, errors, valid))


def slow_surprise(errors, step_types):
  """The mean error of all forecasts of step t + 1, each from a start in the same episode."""
  surprise = np.zeros((LENGTH, BATCH))
  for t in range(LENGTH):
    for b in range(BATCH):
      landing = []
      for q in range(1, HORIZON + 1):
        if step_types[t + 2 - q, b] == FIRST or t + 1 - q < 0:
          break  # a start further back lies in another episode, or before the chunk
        landing.append(errors[t + 1 - q, q - 1, b])
      surprise[t, b] = np.mean(landing) if landing else 0.0
  return surprise


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("jitted", [True, False])
def test_rewards_of_two_batches_equal_a_slow_version(make_trajectory, clip, jitted):
  bonus = bonuses.registry.get("byol_explore")(None, None)
  config = PaymentConfig(normaliser_decay=0.9, clip_at_mean=clip)

  def pay(params, state, trajectory, outputs):
    return payment.pay(bonus, config, 0.99, params, state, trajectory, outputs, KEY)

  reward = jax.jit(pay) if jitted else pay
  rng = np.random.default_rng(0)
  params, statistics = bonus.init(KEY)
  state = payment.init(statistics)
  first = second = total = 0.0
  for _ in range(2):
    trajectory = make_trajectory(rng, LENGTH, BATCH)
    outputs = random_outputs(rng, trajectory)
    rewards, state, metrics = reward(params, state, trajectory, outputs)
    surprise = slow_surprise(np.asarray(outputs.forecasts.errors), np.asarray(trajectory.step_type))
    real = np.asarray(trajectory.step_type[:-1]) != LAST
    first, second = (
      0.9 * old + np.mean(new)
      for old, new in ((first, surprise[real]), (second, surprise[real] ** 2))
    )
    total = 0.9 * total + 1.0
    std = np.sqrt(second / total - (first / total) ** 2 + 1e-8)
    expected = np.maximum(surprise - first / total, 0) / std if clip else surprise / std
    np.testing.assert_allclose(rewards, np.where(real, expected, 0.0), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(metrics["bonus_mean"], first / total, rtol=1e-4)
    np.testing.assert_allclose(metrics["bonus_std"], std, rtol=1e-3)
    paid_nothing = np.mean(expected[real] <= 0.0)
    np.testing.assert_allclose(metrics["unpaid"], paid_nothing, rtol=1e-5)


def test_only_the_byol_bonus_reads_the_table():
  assert bonuses.registry.get("byol_explore")(None, None).needs == ("byol",)
  assert bonuses.registry.get("none")(None, None).needs == ()


def test_no_bonus_pays_nothing(make_trajectory):
  bonus = bonuses.registry.get("none")(None, None)
  trajectory = make_trajectory(np.random.default_rng(2), LENGTH, BATCH)
  rewards, statistics, metrics = bonus.reward((), (), trajectory, Outputs(None, None, None), KEY)
  np.testing.assert_array_equal(rewards, np.zeros((LENGTH, BATCH)))
  assert (statistics, metrics) == ((), {})


def test_an_unknown_bonus_is_a_clear_error():
  with pytest.raises(UnknownNameError, match="byol_explore"):
    bonuses.registry.get("byol_explor")
