"""What steps from a replay count for, and the priorities they leave."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import replay
from agents.replay import ReplayConfig
from agents.trajectory import ReplaySpec
from envs.environment import LAST, MID

LENGTH, BATCH = 9, 6


def drawn(make_trajectory, seed=0):
  rng = np.random.default_rng(seed)
  chance = jnp.asarray(rng.dirichlet(np.ones(BATCH)), jnp.float32)
  return make_trajectory(rng, LENGTH, BATCH)._replace(probability=chance)


def maybe_jit(function, jitted):
  return jax.jit(function, static_argnums=0) if jitted else function


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("exponent", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("burn_in", [0, 4])
def test_weights_equal_numpy(make_trajectory, burn_in, exponent, jitted):
  trajectory = drawn(make_trajectory)
  config = ReplayConfig(replay_capacity=9, burn_in=burn_in, importance_exponent=exponent)
  weights = maybe_jit(replay.weights, jitted)(config, trajectory)
  chance = np.asarray(trajectory.probability, np.float64)
  expected = np.zeros((LENGTH, BATCH))
  for t, b in np.ndindex(LENGTH, BATCH):
    if t >= burn_in and trajectory.step_type[t, b] != LAST:
      expected[t, b] = (1.0 / chance[b] / max(1.0 / chance)) ** exponent
  assert weights.dtype == jnp.float32
  np.testing.assert_allclose(weights, expected, rtol=1e-5)


def test_without_a_replay_every_real_step_counts_one(make_trajectory):
  trajectory = drawn(make_trajectory)._replace(probability=())
  np.testing.assert_array_equal(replay.weights(ReplayConfig(), trajectory), trajectory.mask)


def test_whole_correction_makes_draws_by_priority_unbiased(make_trajectory):
  trajectory = drawn(make_trajectory)
  types = jnp.full_like(trajectory.step_type, MID)
  config = ReplayConfig(replay_capacity=9, importance_exponent=1.0)
  weights = replay.weights(config, trajectory._replace(step_type=types))[0]
  # By the chance of a draw each then counts alike.
  counted = trajectory.probability * weights
  np.testing.assert_allclose(counted / counted.sum(), np.full(BATCH, 1 / BATCH), rtol=1e-5)


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("eta", [0.0, 0.9, 1.0])
def test_priorities_equal_numpy(make_trajectory, eta, jitted):
  config = ReplayConfig(replay_capacity=9, burn_in=3, priority_of_max=eta)
  weights = replay.weights(config, drawn(make_trajectory)).at[:, 1].set(0.0)  # nothing to learn
  errors = np.random.default_rng(0).normal(size=(LENGTH, BATCH))
  errors[:3] = 1e3  # of the burn-in
  out = maybe_jit(replay.priorities, jitted)(config, jnp.asarray(errors, jnp.float32), weights)
  expected = np.zeros(BATCH)
  for b in range(BATCH):
    size = np.abs(errors[np.asarray(weights[:, b]) > 0, b])
    if len(size):
      expected[b] = eta * size.max() + (1 - eta) * size.mean()
  assert out.dtype == jnp.float32
  np.testing.assert_allclose(out, expected, rtol=1e-5)
  assert out[1] == 0.0


def test_the_runtimes_are_told_only_of_a_replay():
  assert ReplayConfig().spec() is None
  config = ReplayConfig(replay_capacity=50, replay_min_size=5, samples_per_insert=2.0)
  assert config.spec() == ReplaySpec(50, 5, 2.0, 0.9)


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"replay_capacity": -1}, "replay_capacity is -1"),
    ({"burn_in": -1}, "burn_in is -1"),
    ({"priority_exponent": 1.5}, "priority_exponent"),
    ({"priority_of_max": -0.5}, "priority_of_max"),
    ({"importance_exponent": 2.0}, "importance_exponent"),
  ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
  with pytest.raises(ValueError, match=message):
    ReplayConfig(**settings)
