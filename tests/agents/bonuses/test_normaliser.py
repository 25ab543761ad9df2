"""The bonuses' normaliser, against NumPy over several batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import normaliser

DECAY = 0.9


def surprise(state, values, mask, decay=DECAY, clip=True):
  return normaliser.normalise("surprise", state, values, mask, decay, clip, 0.99)


def slow(batches, decay, clip):
  """Rewards of the last batch: averages weighted decay^age, whose weights sum to 1."""
  ages = np.arange(len(batches))[::-1]
  weights = decay**ages / np.sum(decay**ages)
  first = sum(w * np.mean(x[m]) for w, (x, m) in zip(weights, batches, strict=True))
  second = sum(w * np.mean(x[m] ** 2) for w, (x, m) in zip(weights, batches, strict=True))
  std = np.sqrt(max(second - first**2, 0.0) + 1e-8)
  values, mask = batches[-1]
  reward = np.maximum((values - first) / std, 0.0) if clip else values / std
  return np.where(mask, reward, 0.0), first, std


def random_batches(count, seed=0):
  rng = np.random.default_rng(seed)
  return [
    (rng.gamma(2.0, 1.0 + n, (6, 4)).astype(np.float32), rng.random((6, 4)) < 0.7)
    for n in range(count)
  ]


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_rewards_and_moments_equal_numpy(count, clip, jitted):
  def fast(batches):
    state = normaliser.init()
    for values, mask in batches:
      paid, state, _ = surprise(state, values, mask, clip=clip)
    return paid, state.mean, normaliser.deviation(state)

  batches = random_batches(count)
  results = (jax.jit(fast) if jitted else fast)(batches)
  for result, expected in zip(results, slow(batches, DECAY, clip), strict=True):
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_the_variance_has_the_right_sign():
  # A public implementation takes m1^2 - m2, which is never positive: its sigma is always 1e-4.
  values = jnp.asarray([[1.0, 5.0]])
  state = normaliser.update(normaliser.init(), values, jnp.ones((1, 2), bool), DECAY)
  np.testing.assert_allclose(normaliser.deviation(state), 2.0, rtol=1e-5)


def test_only_what_exceeds_the_mean_is_paid():
  values = jnp.asarray([[1.0, 2.0, 6.0]])
  mask = jnp.ones((1, 3), bool)
  paid, _, metrics = surprise(normaliser.init(), values, mask)
  np.testing.assert_allclose(paid, [[0.0, 0.0, 3.0 / np.sqrt(14 / 3)]], atol=1e-4)
  np.testing.assert_allclose(metrics["unpaid"], 2 / 3)
  unclipped, _, _ = surprise(normaliser.init(), values, mask, clip=False)
  np.testing.assert_allclose(unclipped, values / np.sqrt(14 / 3), rtol=1e-4)


def test_masked_values_count_for_nothing():
  values = jnp.asarray([[1.0, jnp.nan, 3.0]])
  mask = jnp.asarray([[True, False, True]])
  paid, state, _ = surprise(normaliser.init(), values, mask)
  np.testing.assert_allclose([state.mean, normaliser.deviation(state)], [2.0, 1.0], rtol=1e-5)
  np.testing.assert_allclose(paid, [[0.0, 0.0, 1.0]], atol=1e-5)


def test_a_batch_without_real_transitions_changes_nothing():
  state = normaliser.update(normaliser.init(), jnp.ones((2, 2)), jnp.ones((2, 2), bool), DECAY)
  same = normaliser.update(state, jnp.full((2, 2), 9.0), jnp.zeros((2, 2), bool), DECAY)
  jax.tree.map(np.testing.assert_array_equal, same, state)


def test_rewards_do_not_depend_on_the_scale_of_the_surprise():
  (values, mask), *_ = random_batches(1, seed=1)

  def rewards(scale):
    return surprise(normaliser.init(), scale * values, mask)[0]

  np.testing.assert_allclose(rewards(1.0), rewards(50.0), rtol=1e-3, atol=1e-4)


def test_constant_surprise_pays_nothing():
  values, mask = jnp.full((3, 4), 1.3), jnp.ones((3, 4), bool)
  state = normaliser.init()
  for _ in range(50):
    paid, state, _ = surprise(state, values, mask, 0.99)
  np.testing.assert_allclose(paid, 0.0, atol=0.05)


def slow_discounted(values, mask, discount):
  """One environment at a time, one step after the other."""
  out = np.zeros(values.shape)
  for b in range(values.shape[1]):
    total = 0.0
    for t in range(values.shape[0]):
      if mask[t, b]:
        total = discount * total + values[t, b]
      out[t, b] = total
  return out


@pytest.mark.parametrize("jitted", [False, True])
def test_returns_run_over_time_and_their_deviation_over_all_batches(jitted):
  # A bug seen in public code runs the filter over environments.
  def fast(batches):
    state = normaliser.init()
    for values, mask in batches:
      paid, state, _ = normaliser.normalise("return_std", state, values, mask, DECAY, True, 0.8)
    return paid, normaliser.deviation(state)

  batches = random_batches(4)
  returns = [
    slow_discounted(np.where(mask, values, 0.0), mask, 0.8)[mask] for values, mask in batches
  ]
  mean, square = (np.mean([np.mean(r**n) for r in returns]) for n in (1, 2))
  std = np.sqrt(square - mean**2)
  values, mask = batches[-1]
  paid, deviation = (jax.jit(fast) if jitted else fast)(batches)
  np.testing.assert_allclose(deviation, std, rtol=1e-4)
  np.testing.assert_allclose(paid, np.where(mask, values / std, 0.0), rtol=1e-4)


def test_a_bonus_with_a_scale_of_its_own_is_paid_as_it_is():
  (values, mask), *_ = random_batches(1)
  paid, state, metrics = normaliser.normalise("none", normaliser.init(), values, mask, 0, True, 0.9)
  np.testing.assert_array_equal(paid, np.where(mask, values, 0.0))
  assert (int(state.updates), metrics) == (0, {})


def test_a_constant_bonus_is_paid_in_moderation():
  state = normaliser.init()
  for _ in range(5):
    paid, state, _ = normaliser.normalise(
      "return_std", state, jnp.full((16, 4), 0.3), jnp.ones((16, 4), bool), DECAY, True, 0.99
    )
  assert 0.1 < float(paid[0, 0]) < 1.0


def test_an_unknown_scaling_is_refused():
  with pytest.raises(ValueError, match="'return-std' is none of surprise, return_std, none"):
    normaliser.normalise("return-std", normaliser.init(), None, None, DECAY, True, 0.9)
