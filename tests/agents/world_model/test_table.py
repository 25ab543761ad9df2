"""The table L(p, q) and its readings, against loops written from the formulae."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.world_model import table
from envs.environment import FIRST


def slow_table(predictions, targets):
  length, horizon, batch, _ = predictions.shape
  out = np.full((length, horizon, batch), np.nan)
  for p in range(length):
    for q in range(1, horizon + 1):
      for b in range(batch):
        if p + q <= length:
          x, y = predictions[p, q - 1, b], targets[p + q, b]
          x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
          out[p, q - 1, b] = np.sum((x - y) ** 2)
  return out


def slow_valid(first, horizon):
  length, batch = first.shape[0] - 1, first.shape[1]
  out = np.zeros((length, horizon, batch), bool)
  for p in range(length):
    for q in range(1, horizon + 1):
      for b in range(batch):
        out[p, q - 1, b] = p + q <= length and not any(first[s, b] for s in range(p + 1, p + q + 1))
  return out


def slow_loss(errors, valid):
  starts = []
  for p in range(errors.shape[0]):
    for b in range(errors.shape[2]):
      real = [errors[p, q, b] for q in range(errors.shape[1]) if valid[p, q, b]]
      if real:
        starts.append(sum(real) / len(real))
  return sum(starts) / len(starts) if starts else 0.0


def slow_uncertainty(errors, valid):
  length, horizon, batch = errors.shape
  out = np.zeros((length, batch))
  for t in range(length):
    for b in range(batch):
      landing = [
        errors[p, q - 1, b]
        for p in range(length)
        for q in range(1, horizon + 1)
        if p + q == t + 1 and valid[p, q - 1, b]
      ]
      out[t, b] = sum(landing) / len(landing) if landing else 0.0
  return out


def readings(predictions, targets, first):
  errors = table.prediction_errors(predictions, targets)
  valid = table.valid_pairs(first, predictions.shape[1])
  return errors, valid, table.loss(errors, valid), table.uncertainty(errors, valid)


def random_inputs(rng, step_types, horizon, size=3):
  length, batch = step_types.shape[0] - 1, step_types.shape[1]
  predictions = rng.normal(size=(length, horizon, batch, size)).astype(np.float32)
  targets = rng.normal(size=(length + 1, batch, size)).astype(np.float32)
  return predictions, targets, step_types == FIRST


@settings(max_examples=8)
@given(
  st.integers(1, 7), st.integers(1, 5), st.integers(1, 3), st.integers(0, 2**16), st.booleans()
)
def test_all_readings_equal_slow_loops(make_step_types, length, horizon, batch, seed, jitted):
  rng = np.random.default_rng(seed)
  inputs = random_inputs(rng, make_step_types(rng, length, batch), horizon)
  errors, valid, loss, uncertainty = (jax.jit(readings) if jitted else readings)(*inputs)
  slow_errors, real = slow_table(inputs[0], inputs[1]), slow_valid(inputs[2], horizon)
  np.testing.assert_array_equal(valid, real)
  np.testing.assert_allclose(np.where(real, errors, 0), np.where(real, slow_errors, 0), atol=2e-6)
  np.testing.assert_allclose(loss, slow_loss(slow_errors, real), atol=2e-6)
  np.testing.assert_allclose(uncertainty, slow_uncertainty(slow_errors, real), atol=2e-6)


def test_a_first_at_any_pattern_of_steps_masks_what_crosses_it():
  # All 2^5 patterns of starts in a chunk of 5 observations, as a batch.
  first = np.array([[(n >> t) & 1 for n in range(32)] for t in range(5)], bool)
  for horizon in (1, 3, 6):
    np.testing.assert_array_equal(table.valid_pairs(first, horizon), slow_valid(first, horizon))


def test_errors_of_pairs_that_are_not_real_change_nothing(make_step_types):
  rng = np.random.default_rng(0)
  predictions, targets, first = random_inputs(rng, make_step_types(rng, 8, 3), 4)
  errors, valid, loss, uncertainty = readings(predictions, targets, first)
  garbage = jnp.where(valid, errors, jnp.nan)
  np.testing.assert_array_equal(table.loss(garbage, valid), loss)
  np.testing.assert_array_equal(table.uncertainty(garbage, valid), uncertainty)
  gradient = jax.grad(lambda p: readings(p, targets, first)[2])(predictions)
  np.testing.assert_array_equal(np.asarray(gradient)[~np.asarray(valid)], 0.0)
  assert np.all(np.any(np.asarray(gradient)[np.asarray(valid)] != 0.0, axis=-1))


def test_nothing_leaks_from_one_episode_into_another():
  rng = np.random.default_rng(1)
  first = np.zeros((9, 1), bool)
  first[4] = True  # steps 0 to 3 are one episode, 4 to 8 another
  predictions, targets, _ = random_inputs(rng, np.zeros((9, 1), np.int32), 5)
  before = readings(predictions, targets, first)
  others = predictions.copy(), targets.copy()
  others[0][:4], others[1][:4] = rng.normal(size=(2, 4, 5, 1, 3))[0], rng.normal(size=(4, 1, 3))
  after = readings(*others, first)
  np.testing.assert_array_equal(before[3][4:], after[3][4:])
  np.testing.assert_array_equal(before[0][4:], after[0][4:])
  assert np.all(np.asarray(before[3][:3]) != np.asarray(after[3][:3]))
  np.testing.assert_array_equal(before[3][3], 0.0)  # LAST -> FIRST


def test_away_from_edges_the_uncertainty_is_the_sum_over_the_horizon():
  rng = np.random.default_rng(2)
  errors = rng.uniform(0, 4, (9, 3, 1))
  uncertainty = table.uncertainty(
    jnp.asarray(errors), table.valid_pairs(np.zeros((10, 1), bool), 3)
  )
  for t in range(2, 9):
    total = errors[t, 0] + errors[t - 1, 1] + errors[t - 2, 2]
    np.testing.assert_allclose(3 * uncertainty[t], total, rtol=1e-6)


def test_a_chunk_without_any_real_pair_has_loss_zero():
  first = np.ones((4, 2), bool)
  valid = table.valid_pairs(first, 3)
  assert not np.any(valid)
  assert float(table.loss(jnp.ones((3, 3, 2)), valid)) == 0.0
  np.testing.assert_array_equal(table.uncertainty(jnp.ones((3, 3, 2)), valid), np.zeros((3, 2)))


@pytest.mark.parametrize(("scale", "expected"), [(2.0, 0.0), (-3.0, 4.0)])
def test_the_error_looks_at_directions_only(scale, expected):
  targets = np.random.default_rng(3).normal(size=(3, 2, 4)).astype(np.float32)
  errors = table.prediction_errors(scale * targets[1:, None], targets)
  np.testing.assert_allclose(errors, expected, atol=1e-6)


def test_zero_vectors_have_finite_errors_and_gradients():
  targets = jnp.zeros((3, 1, 4))
  predictions = jnp.zeros((2, 2, 1, 4))
  value, gradients = jax.value_and_grad(
    lambda p, t: jnp.sum(table.prediction_errors(p, t)), argnums=(0, 1)
  )(predictions, targets)
  assert float(value) == 8.0  # the cosine counts as 0
  assert all(np.all(np.isfinite(g)) for g in gradients)
