"""NDIGO in both forms against loops, and what noise and the familiar are paid."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.bonuses import ndigo
from agents.bonuses.ndigo import NDIGOConfig
from agents.world_model import table
from envs.environment import FIRST, MID
from tests.agents.bonuses.slow_networks import (
  CONTEXT,
  HORIZON,
  familiar_and_unseen,
  mlp,
  random_outputs,
  unit,
)
from tests.agents.bonuses.small_world import KEY

LENGTH, BATCH = 7, 4
CATEGORIES = 4
OBSERVATIONS = {
  "floats": specs.Array((3,), np.float32),
  "categories": specs.BoundedArray((2, 2), np.int32, 0, CATEGORIES - 1),
  "pixels": specs.Array((2, 3), np.uint8),
}


def bonus_of(form="latent", horizon=2, observation="floats"):
  env = types.SimpleNamespace(
    **vars(CONTEXT.env) | {"observation_spec": lambda: OBSERVATIONS[observation]}
  )
  return ndigo.build(NDIGOConfig(form, horizon), CONTEXT._replace(env=env))


def case(make_trajectory, seed=0, observation="floats"):
  rng = np.random.default_rng(seed)
  trajectory = make_trajectory(rng, LENGTH, BATCH)
  if observation == "categories":
    seen = rng.integers(0, CATEGORIES, (LENGTH + 1, BATCH, 2, 2)).astype(np.int32)
    trajectory = trajectory._replace(observation=jnp.asarray(seen))
  if observation == "pixels":
    seen = rng.integers(0, 256, (LENGTH + 1, BATCH, 2, 3)).astype(np.uint8)
    trajectory = trajectory._replace(observation=jnp.asarray(seen))
  return trajectory, random_outputs(rng, trajectory)


def slow_rewards(loss, trajectory, horizon):
  """loss(s, k, b) of step s + k: its drop when step s + 1 is seen, paid for s -> s + 1."""
  types_ = np.asarray(trajectory.step_type)
  rewards = np.zeros((LENGTH, BATCH))
  for t in range(1, LENGTH + 1):
    target = t + horizon - 1
    for b in range(BATCH):
      if target > LENGTH or FIRST in types_[t : target + 1, b]:
        continue
      rewards[t - 1, b] = loss(t - 1, horizon, b) - loss(t, horizon - 1, b)
  return rewards


def slow_log_loss(kind, decoded, observation):
  """-log p, without what depends on the observation alone, one feature after the other."""
  seen = np.asarray(observation)
  if kind == "floats":
    return np.mean([(d - o) ** 2 / 2 for d, o in zip(decoded, seen, strict=True)])
  if kind == "pixels":
    p = 1.0 / (1.0 + np.exp(-decoded))
    x = seen.reshape(-1) / 255.0
    return np.mean(-x * np.log(p) - (1 - x) * np.log(1 - p))
  p = np.exp(decoded.reshape(-1, CATEGORIES))
  p /= p.sum(axis=-1, keepdims=True)
  return np.mean([-np.log(row[c]) for row, c in zip(p, seen.reshape(-1), strict=True)])


@pytest.mark.parametrize("horizon", [1, 2, 3])
@pytest.mark.parametrize("jitted", [True, False])
def test_latent_rewards_equal_a_slow_version(make_trajectory, horizon, jitted):
  bonus = bonus_of("latent", horizon)
  reward = jax.jit(bonus.reward) if jitted else bonus.reward
  params, statistics = bonus.init(KEY)
  trajectory, outputs = case(make_trajectory)

  def loss(s, k, b):
    if k:
      return float(outputs.forecasts.errors[s, k - 1, b])
    known = unit(mlp(params, outputs.beliefs[s, b]))
    return np.sum((known - unit(outputs.forecasts.targets[s, b])) ** 2)

  paid, _, _ = reward(params, statistics, trajectory, outputs, KEY)
  expected = slow_rewards(loss, trajectory, horizon)
  np.testing.assert_allclose(paid, expected, rtol=1e-3, atol=1e-4)
  assert (expected < 0).any()
  assert (expected > 0).any()


@pytest.mark.parametrize("observation", OBSERVATIONS)
@pytest.mark.parametrize("horizon", [1, 3])
def test_decoded_rewards_equal_a_slow_version(make_trajectory, horizon, observation):
  bonus = bonus_of("decoded", horizon, observation)
  params, statistics = bonus.init(KEY)
  trajectory, outputs = case(make_trajectory, 1, observation)

  def loss(s, k, b):
    belief = outputs.forecasts.imagined[s, k - 1, b] if k else outputs.beliefs[s, b]
    return slow_log_loss(observation, mlp(params, belief), trajectory.observation[s + k, b])

  paid, _, _ = jax.jit(bonus.reward)(params, statistics, trajectory, outputs, KEY)
  expected = slow_rewards(loss, trajectory, horizon)
  np.testing.assert_allclose(paid, expected, rtol=1e-3, atol=1e-4)


def test_the_decoders_loss_is_the_mean_of_both_forecasts_errors(make_trajectory):
  bonus = bonus_of("decoded", 2)
  params, statistics = bonus.init(KEY)
  trajectory, outputs = case(make_trajectory, 2)
  valid = np.asarray(outputs.forecasts.valid)
  expected = 0.0
  for k in (1, 2):
    expected += np.mean(
      [
        slow_log_loss(
          "floats",
          mlp(params, outputs.forecasts.imagined[s, k - 1, b]),
          trajectory.observation[s + k, b],
        )
        for s, b in np.argwhere(valid[:, k - 1])
      ]
    )
  loss = bonus.loss(params, statistics, trajectory, outputs, KEY)
  np.testing.assert_allclose(loss, expected, rtol=1e-4)


def noise(horizon, seed=3):
  """White noise and the best that can be known of it: its mean beforehand, and all afterwards."""
  rng = np.random.default_rng(seed)
  shape = (LENGTH + 1, 64)
  targets = jnp.asarray(rng.normal([1.0, 0, 0, 0, 0], 1.0, (*shape, 5)), jnp.float32)
  step_type = jnp.full(shape, MID, jnp.int32)
  trajectory = types.SimpleNamespace(reward=jnp.zeros(shape), first=step_type == FIRST)
  outputs = random_outputs(rng, trajectory)
  mean = jnp.broadcast_to(jnp.asarray([1.0, 0, 0, 0, 0]), (LENGTH, HORIZON, 64, 5))
  errors = table.prediction_errors(mean, targets)
  forecasts = outputs.forecasts._replace(targets=targets, errors=errors)
  return trajectory, outputs._replace(forecasts=forecasts)


@pytest.mark.parametrize("horizon", [2, 3])
def test_white_noise_is_paid_nothing(horizon):
  bonus = bonus_of("latent", horizon)
  paid, _, _ = bonus.reward((), (), *noise(horizon), KEY)
  np.testing.assert_allclose(paid, 0.0, atol=1e-6)


def test_white_noise_is_paid_nothing_in_the_mean_if_forecasts_err_at_random():
  bonus = bonus_of("latent", 2)
  trajectory, outputs = noise(2)
  errors = outputs.forecasts.errors
  errors += 0.3 * jax.random.normal(KEY, errors.shape)
  outputs = outputs._replace(forecasts=outputs.forecasts._replace(errors=errors))
  paid = bonus.reward((), (), trajectory, outputs, KEY)[0][:-1]
  assert jnp.abs(jnp.mean(paid)) < 4.0 * jnp.std(paid) / np.sqrt(paid.size)
  assert jnp.min(paid) < -0.3 < 0.3 < jnp.max(paid)


def test_white_noise_is_paid_at_a_horizon_of_one():
  bonus = bonus_of("latent", 1)
  trajectory, outputs = noise(1)
  # The head that knows what was just seen: relu(x) - relu(-x).
  both = jnp.concatenate([jnp.eye(5), -jnp.eye(5), jnp.zeros((ndigo.HIDDEN - 10, 5))])
  head = {
    "head/~/linear_0": {"w": both.T, "b": jnp.zeros(ndigo.HIDDEN)},
    "head/~/linear_1": {"w": both, "b": jnp.zeros(5)},
  }
  seen = outputs._replace(beliefs=outputs.forecasts.targets)
  paid, _, _ = bonus.reward(head, (), trajectory, seen, KEY)
  np.testing.assert_allclose(paid, outputs.forecasts.errors[:, 0], atol=1e-5)
  assert jnp.mean(paid) > 0.3


@pytest.mark.parametrize(("form", "horizon"), [("latent", 1), ("decoded", 1), ("decoded", 3)])
def test_a_familiar_loop_pays_far_less_than_unseen_observations(form, horizon):
  familiar, unseen = familiar_and_unseen(bonus_of(form, horizon))
  assert familiar < 0.05 * unseen


def test_the_targets_get_no_gradient_and_the_beliefs_do(make_trajectory):
  bonus = bonus_of("latent", 1)
  params, statistics = bonus.init(KEY)
  trajectory, outputs = case(make_trajectory, 4)

  def loss(beliefs, targets):
    forecasts = outputs.forecasts._replace(targets=targets)
    seen = outputs._replace(beliefs=beliefs, forecasts=forecasts)
    return bonus.loss(params, statistics, trajectory, seen, KEY)

  beliefs, targets = jax.grad(loss, argnums=(0, 1))(outputs.beliefs, outputs.forecasts.targets)
  assert jnp.any(beliefs)
  assert not jnp.any(targets)


def test_the_table_alone_needs_no_networks():
  params, statistics = bonus_of("latent", 2).init(KEY)
  assert (params, statistics) == ((), ())


def test_a_horizon_beyond_the_world_models_is_a_clear_error():
  with pytest.raises(ValueError, match=r"horizon is 4; it may be at most .* 3"):
    bonus_of("latent", HORIZON + 1)
  with pytest.raises(ValueError, match="horizon is 0"):
    NDIGOConfig(horizon=0)
