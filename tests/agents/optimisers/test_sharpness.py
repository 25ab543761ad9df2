"""Lanczos' method on known spectra, and on a network's Hessian by its whole matrix."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from agents.optimisers.sharpness import lanczos, random_like


def of_diagonal(values, steps):
  values = jnp.asarray(values, jnp.float32)
  return np.asarray(lanczos(lambda v: values * v, jnp.ones_like(values), steps))


def test_known_spectra():
  assert of_diagonal(np.arange(1, 11), 5)[-1] == pytest.approx(9.890, abs=1e-3)
  np.testing.assert_allclose(of_diagonal(np.arange(1, 11), 10), np.arange(1, 11), rtol=1e-4)
  # The largest, and not the one farthest from 0, as power iteration would have it.
  np.testing.assert_allclose(of_diagonal([3, -5], 2), [-5, 3], rtol=1e-5)


def test_more_steps_than_eigenvalues_add_none():
  found = of_diagonal([-2, -2, -7], 6)
  assert found[-1] == pytest.approx(-2, rel=1e-5)
  assert found[0] == pytest.approx(-7, rel=1e-5)


def test_many_steps_stay_orthogonal():
  values = np.concatenate([np.linspace(0, 1, 150), [1000.0]])
  found = of_diagonal(values, 60)
  assert found[-1] == pytest.approx(1000.0, rel=1e-5)
  assert found[-2] <= 1.0 + 1e-3  # without it the largest comes back as a ghost


def test_a_networks_sharpness_is_that_of_its_whole_hessian():
  key = jax.random.key(0)
  x, y = jax.random.normal(key, (16, 3)), jnp.sin(jnp.arange(16.0))
  params = {"a": jax.random.normal(key, (3, 4)), "b": jax.random.normal(key, (4,))}

  def f(params):
    return jnp.mean(jnp.square(jnp.tanh(x @ params["a"]) @ params["b"] - y))

  whole, unravel = jax.flatten_util.ravel_pytree(params)
  expected = np.linalg.eigvalsh(jax.hessian(lambda flat: f(unravel(flat)))(whole))

  def hvp(v):
    return jax.jvp(jax.grad(f), (params,), (v,))[1]

  found = lanczos(hvp, random_like(key, params), 16)
  np.testing.assert_allclose([found[0], found[-1]], expected[[0, -1]], rtol=1e-3, atol=1e-3)
