"""Running moments, against NumPy on all that was seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import running_moments


def batches(count, seed=0):
  rng = np.random.default_rng(seed)
  return [rng.normal(3.0 + n, 1.0 + n, (2 + n, 3, 4)).astype(np.float32) for n in range(count)]


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("count", [1, 2, 6])
def test_moments_of_many_batches_are_those_of_all_values(count, jitted):
  update = jax.jit(running_moments.update) if jitted else running_moments.update
  moments = running_moments.init((4,))
  for batch in batches(count):
    moments = update(moments, batch)
  values = np.concatenate([batch.reshape(-1, 4) for batch in batches(count)]).astype(np.float64)
  np.testing.assert_allclose(moments.mean, values.mean(axis=0), rtol=1e-5)
  np.testing.assert_allclose(moments.variance, values.var(axis=0), rtol=1e-4)
  assert moments.seen == len(values)


def test_values_are_whitened_and_clipped():
  moments = running_moments.update(running_moments.init((2,)), jnp.asarray([[0.0, 7], [4, 7]]))
  whitened = running_moments.whiten(moments, jnp.asarray([[3.0, 7], [90, 8]]), 5.0)
  np.testing.assert_allclose(whitened, [[0.5, 0.0], [5.0, 5.0]], rtol=1e-3)


def test_a_long_life_keeps_the_moments_finite_and_near():
  rng = np.random.default_rng(1)
  moments = running_moments.init((1,))._replace(seen=jnp.float32(2**30))
  moments = moments._replace(mean=jnp.ones(1), variance=jnp.ones(1))
  for _ in range(3):
    moments = running_moments.update(moments, jnp.asarray(rng.normal(size=(32, 1)), jnp.float32))
  np.testing.assert_allclose([moments.mean[0], moments.variance[0]], 1.0, rtol=1e-5)


def test_a_constant_at_an_offset_has_no_variance_and_its_own_mean():
  values = jnp.full((33, 1), 1000.1)
  moments = running_moments.init((1,))
  for _ in range(5):
    moments = running_moments.update(moments, values)
  assert (moments.mean[0], moments.variance[0]) == (values[0, 0], 0.0)


def test_arrays_without_an_entry_have_moments_too():
  moments = running_moments.update(running_moments.init((0,)), jnp.zeros((4, 3, 0)))
  assert (moments.mean.shape, moments.seen) == ((0,), 12.0)
