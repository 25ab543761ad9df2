"""The regularised policy: against known solutions, a convex solver, bisection and visit counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.planners import regularised

COUNT = 18
policy = jax.jit(regularised.policy)


def solve(q, prior, weight):
  q, prior = jnp.asarray(q, jnp.float32), jnp.asarray(prior, jnp.float32)
  return np.asarray(policy(q, prior, jnp.float32(weight)), np.float64)


@pytest.mark.parametrize(
  ("q", "prior", "weight", "expected"),
  [
    ((1.0, 0.25), (0.25, 0.75), 0.5, (0.607625, 0.392375)),
    ((0.0, 1.0), (0.999, 0.001), 0.1, (0.099889, 0.900111)),
    ((1.0, 0.5, 0.0), (0.2, 0.3, 0.5), 0.4, (0.631045, 0.191457, 0.177498)),
    ((2.0, 2.0, 2.0), (0.2, 0.3, 0.5), 0.4, (0.2, 0.3, 0.5)),
  ],
)
def test_known_solutions(q, prior, weight, expected):
  np.testing.assert_allclose(solve(q, prior, weight), expected, atol=2e-6)


def test_it_is_what_a_convex_solver_finds():
  rng = np.random.default_rng(0)
  for _ in range(5):
    q, prior, weight = rng.normal(size=4), rng.dirichlet(np.ones(4)), rng.uniform(0.05, 1.0)

    def cost(y, q=q, prior=prior, weight=weight):
      return -(q @ y + weight * prior @ np.log(y))

    sums = {"type": "eq", "fun": lambda y: y.sum() - 1.0}
    found = scipy.optimize.minimize(
      cost, prior, bounds=[(1e-9, 1.0)] * 4, constraints=sums, tol=1e-12
    )
    assert found.success
    np.testing.assert_allclose(solve(q, prior, weight), found.x, atol=1e-4)


def bisection(q, prior, weight):
  """The same in float64, on the logarithm of the distance from the greatest value."""
  low, high = np.log(prior[np.argmax(q)] * weight), np.log(weight)
  for _ in range(200):
    middle = 0.5 * (low + high)
    above = np.sum(weight * prior / (np.exp(middle) + q.max() - q)) > 1.0
    low, high = (middle, high) if above else (low, middle)
  return weight * prior / (np.exp(low) + q.max() - q)


@given(
  seed=st.integers(0, 2**31),
  exponent=st.floats(-8.0, 0.0),
  weight=st.floats(0.01, 2.0),
  scale=st.floats(0.0, 10.0),
)
@settings(max_examples=60, deadline=None)
def test_it_is_exact_in_float32_however_small_the_priors(seed, exponent, weight, scale):
  rng = np.random.default_rng(seed)
  prior = 10.0 ** rng.uniform(exponent, 0.0, COUNT)
  prior = (prior / prior.sum()).astype(np.float32)
  q = (scale * rng.normal(size=COUNT)).astype(np.float32)
  y = solve(q, prior, weight)
  expected = bisection(q.astype(np.float64), prior.astype(np.float64), weight)
  np.testing.assert_allclose(y, expected / expected.sum(), atol=2e-5)
  np.testing.assert_allclose(y.sum(), 1.0, atol=1e-6)
  # An improvement of the prior, whatever the values.
  assert y @ q >= prior @ q - 1e-4 * max(scale, 1.0)


def test_what_is_not_allowed_stays_so_and_its_value_counts_for_nothing():
  y = solve((9.0, 1.0, 0.0), (0.0, 0.4, 0.6), 0.3)
  assert y[0] == 0.0
  np.testing.assert_allclose(y[1:], solve((1.0, 0.0), (0.4, 0.6), 0.3), atol=1e-6)


def test_the_weight_of_the_prior():
  """lambda of 8 actions: greatest where there are as many visits (for c = 1.25)."""
  visits = np.array([1, 2, 4, 8, 16, 64])
  expected = [0.1389, 0.1768, 0.2083, 0.2210, 0.2083, 0.1389]
  np.testing.assert_allclose(regularised.weight(visits, 8), expected, rtol=3e-3)
  assert regularised.weight(0, 8) == regularised.weight(1, 8)


@pytest.mark.parametrize(("visits", "bound"), [(16, 7 / 24), (1024, 7 / 1032)])
def test_visit_counts_come_near_it(visits, bound):
  """PUCT of 8 actions with fixed values: no entry is further off than (A - 1) / (A + N)."""
  rng = np.random.default_rng(2)
  q, prior, counts = rng.uniform(size=8), rng.dirichlet(np.ones(8)), np.zeros(8)
  for n in range(visits):
    c = regularised.C_INIT + np.log((n + regularised.C_BASE + 1.0) / regularised.C_BASE)
    counts[np.argmax(q + c * prior * np.sqrt(n) / (1.0 + counts))] += 1
  empirical = (1.0 + counts) / (8.0 + visits)
  y = solve(q, prior, regularised.weight(visits, 8))
  assert np.abs(empirical - y).max() <= bound
