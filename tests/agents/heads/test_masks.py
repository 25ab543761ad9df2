"""Policies and values of which some actions are not allowed: as if these did not exist."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.heads import policies
from agents.objectives.action_values import Duals, read

KEY = jax.random.key(0)
SEVERAL = specs.BoundedArray((2,), np.int32, 0, [2, 1])


def random_masks(rng, counts, rows):
  """Masks of entries with so many values each, that allow one of each at least."""
  parts = []
  for count in counts:
    part = rng.random((rows, count)) < 0.5
    part[np.arange(rows), rng.integers(0, count, rows)] = True
    parts.append(part)
  return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("spec", "counts"), [(specs.DiscreteArray(4), (4,)), (SEVERAL, (3, 2))])
def test_what_is_not_allowed_is_never_taken_and_gets_no_gradient(spec, counts, seed):
  rng, policy = np.random.default_rng(seed), policies.build(spec)
  legal = random_masks(rng, counts, 500)
  p = jnp.asarray(50 * rng.normal(size=legal.shape), jnp.float32)

  def terms(p):
    masked = policy.mask(p, legal)
    sample = policy.sample(KEY, masked)
    other = policy.mask(p[::-1], legal)
    parts = sum(policy.kl(masked, other).values())
    return jnp.sum(policy.log_prob(masked, sample) + policy.entropy(masked) + parts), masked

  (total, masked), gradient = jax.value_and_grad(terms, has_aux=True)(p)
  assert np.isfinite(total)
  assert np.isfinite(gradient).all()
  np.testing.assert_array_equal(
    jax.grad(lambda p: policy.entropy(policy.mask(p, legal)).sum())(p)[~legal], 0
  )
  begins = np.cumsum(counts) - counts
  for sample in (policy.sample(KEY, masked), policy.mode(masked)):
    entries = np.asarray(sample).reshape(500, -1)
    for entry, begin in zip(entries.T, begins, strict=True):
      assert legal[np.arange(500), begin + entry].all()


def test_a_masked_policy_is_that_over_what_is_allowed():
  policy, small = policies.categorical(4), policies.categorical(2)
  p, q = jnp.array([0.5, 9.0, -1.0, 3.0]), jnp.array([1.0, -7.0, 0.0, 2.0])
  legal = np.array([True, False, True, False])
  masked = [policy.mask(x, legal) for x in (p, q)]
  few = [x[np.flatnonzero(legal)] for x in (p, q)]
  np.testing.assert_allclose(policy.entropy(masked[0]), small.entropy(few[0]), rtol=1e-6)
  np.testing.assert_allclose(policy.kl(*masked)["kl"], small.kl(*few)["kl"], rtol=1e-6)
  at = [policy.log_prob(masked[0], jnp.int32(2)), small.log_prob(few[0], jnp.int32(1))]
  np.testing.assert_allclose(*at, rtol=1e-6)


def test_several_integers_with_masks_are_those_over_what_is_allowed():
  policy, small = policies.factored(SEVERAL), policies.categorical(2)
  p = jnp.array([0.5, 9.0, -1.0, 3.0, 1.0])
  masked = policy.mask(p, np.array([True, False, True, True, False]))
  np.testing.assert_allclose(policy.entropy(masked), small.entropy(p[np.array([0, 2])]), rtol=1e-6)
  np.testing.assert_array_equal(policy.mode(masked), [0, 0])


def test_where_nothing_is_allowed_all_is():
  p = jnp.array([1.0, 2.0, 3.0])
  np.testing.assert_array_equal(policies.categorical(3).mask(p, np.zeros(3, bool)), p)
  several = policies.factored(SEVERAL)
  q = jnp.array([1.0, 2.0, 3.0, 4.0, 5.0])
  found = several.mask(q, np.array([False, False, False, True, False]))
  np.testing.assert_array_equal(found[:4], q[:4])
  assert found[4] == policies.IMPOSSIBLE


def test_soft_values_are_those_of_what_is_allowed():
  q, reference = jnp.array([0.5, 9.0, -1.0]), jnp.array([0.3, -0.2, 0.9])
  kept = np.array([0, 2])
  duals = Duals(jnp.log(jnp.float32(0.3)), reference)
  found = read(duals, policies.masked(q, np.array([True, False, True])))
  expected = read(duals._replace(reference=reference[kept]), q[kept])
  np.testing.assert_allclose(found.value, expected.value, rtol=1e-5)
  np.testing.assert_allclose(found.kl, expected.kl, rtol=1e-5)
  np.testing.assert_allclose(found.log_policy[kept], expected.log_policy, rtol=1e-5)
