"""Sinkhorn's codes: their sums, and what changes nothing."""

import jax.numpy as jnp
import numpy as np

from agents.auxiliaries import sinkhorn


def scores(rows=24, count=5, seed=0):
  return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, (rows, count)), jnp.float32)


def plain(scores, epsilon, iterations, share):
  """In the plain domain, as written down."""
  q = np.exp(np.asarray(scores, np.float64) / epsilon)
  q /= q.sum()
  for _ in range(iterations):
    q *= share / q.sum(0)
    q *= (1 / len(q)) / q.sum(1, keepdims=True)
  return q * len(q)


def test_codes_equal_the_plain_domain_for_any_marginal():
  rng = np.random.default_rng(1)
  for share in (np.full(5, 0.2), rng.dirichlet(np.ones(5))):
    got = sinkhorn.codes(scores(), jnp.ones(24), 0.05, 3, jnp.asarray(share))
    np.testing.assert_allclose(got, plain(scores(), 0.05, 3, share), atol=2e-5)
  default = sinkhorn.codes(scores(), jnp.ones(24), 0.05, 3)
  np.testing.assert_allclose(default, plain(scores(), 0.05, 3, np.full(5, 0.2)), atol=2e-5)


def test_rows_sum_to_one_and_prototypes_in_the_limit():
  few, many = (sinkhorn.codes(scores(), jnp.ones(24), 0.05, n) for n in (3, 100))
  for codes in (few, many):
    np.testing.assert_allclose(codes.sum(1), 1.0, atol=1e-5)
  np.testing.assert_allclose(many.mean(0), 0.2, atol=1e-3)
  assert np.abs(few.mean(0) - 0.2).max() > 1e-3


def test_constant_scores_give_even_codes_and_an_added_constant_nothing():
  np.testing.assert_allclose(
    sinkhorn.codes(jnp.ones((8, 4)), jnp.ones(8), 0.05, 3), 0.25, rtol=1e-6
  )
  np.testing.assert_allclose(
    sinkhorn.codes(scores() + 7.0, jnp.ones(24), 0.05, 3),
    sinkhorn.codes(scores(), jnp.ones(24), 0.05, 3),
    atol=1e-4,
  )


def test_rows_that_do_not_count_change_no_other():
  weights = jnp.ones(24).at[3:9].set(0.0)
  kept = np.flatnonzero(weights)
  among = sinkhorn.codes(scores(), weights, 0.05, 3)
  np.testing.assert_allclose(
    among[kept], sinkhorn.codes(scores()[kept], jnp.ones(18), 0.05, 3), atol=2e-5
  )
  assert np.all(np.isfinite(sinkhorn.codes(scores(), jnp.zeros(24), 0.05, 3)))


def test_a_uniform_marginal_splits_the_majority_and_its_own_does_not():
  clusters = jnp.asarray([[0.5, 0.2]] * 90 + [[0.2, 0.5]] * 10, jnp.float32)
  even = sinkhorn.codes(clusters, jnp.ones(100), 0.05, 3)
  np.testing.assert_allclose(even[0], (0.643, 0.357), atol=1e-3)
  fitting = sinkhorn.codes(clusters, jnp.ones(100), 0.05, 3, jnp.array([0.9, 0.1]))
  np.testing.assert_allclose(fitting[0], (0.998, 0.002), atol=1e-3)


def test_tiny_temperatures_stay_finite():
  codes = sinkhorn.codes(scores(), jnp.ones(24), 1e-3, 10)
  assert np.all(np.isfinite(codes))
  np.testing.assert_allclose(codes.sum(1), 1.0, atol=1e-5)
