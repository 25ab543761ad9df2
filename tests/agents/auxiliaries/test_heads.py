"""Heads of auxiliary losses: standardised weights, group normalisation, moving averages."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from agents.auxiliaries import heads
from agents.torsos.resnet_ws import standardised
from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)


def test_standardised_weights_have_their_closed_forms():
  w = jax.random.normal(KEY, (6, 4)) * 3.0 + 1.0
  unit = standardised(w)
  np.testing.assert_allclose(unit.sum(0), 0.0, atol=1e-5)
  np.testing.assert_allclose(jnp.square(unit).sum(0), 1.0, rtol=1e-5)
  np.testing.assert_allclose(standardised(2.0 * w + 5.0), unit, atol=1e-5)

  def loss(w):
    return jnp.sum(jnp.sin(standardised(w) * jnp.arange(24.0).reshape(6, 4)))

  gradient = jax.grad(loss)(w)
  np.testing.assert_allclose(gradient.sum(0), 0.0, atol=1e-4)
  np.testing.assert_allclose((gradient * w).sum(0), 0.0, atol=1e-4)


def test_groups_are_normalised_each_by_itself():
  x = jax.random.normal(KEY, (5, 8)) * 4.0 + 3.0
  norm = hk.without_apply_rng(hk.transform(lambda x: heads.GroupNorm(4)(x)))
  params = norm.init(KEY, x)
  pairs = np.asarray(x, np.float64).reshape(5, 4, 2)
  expected = (pairs - pairs.mean(-1, keepdims=True)) / np.sqrt(pairs.var(-1, keepdims=True) + 1e-5)
  np.testing.assert_allclose(norm.apply(params, x), expected.reshape(5, 8), atol=1e-4)


def test_a_plain_head_equals_numpy_and_is_finite_at_zero():
  net = heads.build(7, 3, "float32")
  x = jax.random.normal(KEY, (2, 5, 4))
  params = net.init(KEY, x)
  np.testing.assert_allclose(net.apply(params, x), slow.mlp(params, np.asarray(x)), atol=1e-5)
  normalised = heads.build(7, 3, "float32", groups=16)
  at_zero = normalised.apply(normalised.init(KEY, x), jnp.zeros((2, 4)))
  assert np.all(np.isfinite(at_zero))


def test_byols_schedule():
  shares = jnp.array([0.0, 0.25, 0.5, 1.0])
  expected = (0.996, 0.99659, 0.998, 1.0)
  np.testing.assert_allclose(heads.cosine_decay(0.996, shares), expected, atol=1e-5)


def test_an_average_moves_by_what_its_decay_leaves():
  moved = heads.moved({"w": jnp.ones(2)}, {"w": jnp.zeros(2)}, 0.75)
  np.testing.assert_allclose(moved["w"], 0.75)
