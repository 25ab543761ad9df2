"""The bonuses' normaliser, against NumPy over several batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import normaliser

DECAY = 0.9


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
      state = normaliser.update(state, values, mask, DECAY)
    values, mask = batches[-1]
    return normaliser.normalise(state, values, mask, DECAY, clip), *normaliser.moments(state, DECAY)

  batches = random_batches(count)
  results = (jax.jit(fast) if jitted else fast)(batches)
  for result, expected in zip(results, slow(batches, DECAY, clip), strict=True):
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_the_variance_has_the_right_sign():
  # A public implementation takes m1^2 - m2, which is never positive: its sigma is always 1e-4.
  values = jnp.asarray([[1.0, 5.0]])
  state = normaliser.update(normaliser.init(), values, jnp.ones((1, 2), bool), DECAY)
  _, std = normaliser.moments(state, DECAY)
  np.testing.assert_allclose(std, 2.0, rtol=1e-5)


def test_only_what_exceeds_the_mean_is_paid():
  values = jnp.asarray([[1.0, 2.0, 3.0]])
  mask = jnp.ones((1, 3), bool)
  state = normaliser.update(normaliser.init(), values, mask, DECAY)
  paid = normaliser.normalise(state, values, mask, DECAY, clip_at_mean=True)
  np.testing.assert_allclose(paid, [[0.0, 0.0, np.sqrt(1.5)]], atol=1e-4)
  unclipped = normaliser.normalise(state, values, mask, DECAY, clip_at_mean=False)
  np.testing.assert_allclose(unclipped, values / np.sqrt(2 / 3), rtol=1e-4)


def test_masked_values_count_for_nothing():
  values = jnp.asarray([[1.0, jnp.nan, 3.0]])
  mask = jnp.asarray([[True, False, True]])
  state = normaliser.update(normaliser.init(), values, mask, DECAY)
  mean, std = normaliser.moments(state, DECAY)
  np.testing.assert_allclose([mean, std], [2.0, 1.0], rtol=1e-5)
  paid = normaliser.normalise(state, values, mask, DECAY, True)
  np.testing.assert_allclose(paid, [[0.0, 0.0, 1.0]], atol=1e-5)


def test_a_batch_without_real_transitions_changes_nothing():
  state = normaliser.update(normaliser.init(), jnp.ones((2, 2)), jnp.ones((2, 2), bool), DECAY)
  same = normaliser.update(state, jnp.full((2, 2), 9.0), jnp.zeros((2, 2), bool), DECAY)
  jax.tree.map(np.testing.assert_array_equal, same, state)


def test_rewards_do_not_depend_on_the_scale_of_the_surprise():
  (values, mask), *_ = random_batches(1, seed=1)

  def rewards(scale):
    state = normaliser.update(normaliser.init(), scale * values, mask, DECAY)
    return normaliser.normalise(state, scale * values, mask, DECAY, True)

  np.testing.assert_allclose(rewards(1.0), rewards(50.0), rtol=1e-3, atol=1e-4)


def test_constant_surprise_pays_nothing():
  values, mask = jnp.full((3, 4), 1.3), jnp.ones((3, 4), bool)
  state = normaliser.init()
  for _ in range(50):
    state = normaliser.update(state, values, mask, 0.99)
  paid = normaliser.normalise(state, values, mask, 0.99, True)
  np.testing.assert_allclose(paid, 0.0, atol=0.05)
