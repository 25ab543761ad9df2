"""The policies against distrax, SciPy and samples."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from dm_env import specs

from agents.networks import policies

BOX = specs.BoundedArray((3,), np.float32, [-2.0, 0.0, -1.0], [2.0, 1.0, -0.5], "box")
DISCRETE = specs.DiscreteArray(4)


def parameters(policy, seed=0, shape=(5, 2)):
  return jnp.asarray(np.random.default_rng(seed).normal(size=(*shape, policy.size)), jnp.float32)


def scale(raw):
  softplus = np.log1p(np.exp(np.asarray(raw, np.float64)))
  return policies.INITIAL_SCALE * softplus / np.log(2.0) + policies.MIN_SCALE


def reference(spec, p):
  if spec is DISCRETE:
    return distrax.Categorical(logits=p)
  mean, raw = np.split(np.asarray(p), 2, axis=-1)
  return distrax.MultivariateNormalDiag(mean, scale(raw).astype(np.float32))


@pytest.mark.parametrize("spec", [DISCRETE, BOX], ids=["discrete", "continuous"])
@pytest.mark.parametrize("jitted", [False, True])
def test_every_function_equals_distrax(spec, jitted):
  policy = policies.build(spec)
  wrap = jax.jit if jitted else lambda f: f
  p, q = parameters(policy), parameters(policy, seed=1)
  sample = wrap(policy.sample)(jax.random.key(0), p)
  ours, other = reference(spec, p), reference(spec, q)
  assert sample.shape == ours.sample(seed=jax.random.key(0)).shape
  np.testing.assert_allclose(wrap(policy.log_prob)(p, sample), ours.log_prob(sample), rtol=1e-4)
  np.testing.assert_allclose(wrap(policy.entropy)(p), ours.entropy(), rtol=1e-4)
  np.testing.assert_array_equal(wrap(policy.mode)(p), ours.mode())
  # KL's parts: with p's covariance, and with p's mean; and the whole where it has but one part.
  parts = wrap(policy.kl)(p, q)
  if spec is DISCRETE:
    np.testing.assert_allclose(parts["kl"], ours.kl_divergence(other), rtol=1e-4)
  else:
    (mean_p, raw_p), (mean_q, raw_q) = np.split(p, 2, axis=-1), np.split(q, 2, axis=-1)
    for name, mixed in (("kl_mean", (mean_q, raw_p)), ("kl_covariance", (mean_p, raw_q))):
      expected = ours.kl_divergence(reference(spec, np.concatenate(mixed, axis=-1)))
      np.testing.assert_allclose(parts[name], expected, rtol=1e-3)


def test_samples_of_the_gaussian_have_its_moments():
  policy = policies.build(BOX)
  p = parameters(policy, shape=())
  sample = np.asarray(policy.sample(jax.random.key(1), jnp.broadcast_to(p, (20000, 6))))
  np.testing.assert_allclose(sample.mean(axis=0), p[:3], atol=0.03)
  np.testing.assert_allclose(sample.std(axis=0), scale(p[3:]), rtol=0.03)
  expected = scipy.stats.norm.logpdf(sample, np.asarray(p[:3]), scale(p[3:])).sum(axis=-1)
  np.testing.assert_allclose(policy.log_prob(p, sample), expected, rtol=1e-3, atol=1e-3)


def test_a_sample_is_clipped_and_scaled_to_the_bounds_and_read_back():
  policy = policies.build(BOX)
  sample = jnp.asarray([[-1.0, 1.0, 0.0], [0.5, -7.0, 7.0]])
  action = policy.action(sample)
  np.testing.assert_allclose(action, [[-2.0, 1.0, -0.75], [1.0, 0.0, -0.5]])
  assert action.dtype == jnp.float32
  np.testing.assert_allclose(policy.features(action), np.clip(sample, -1.0, 1.0), atol=1e-6)


def test_a_fresh_scale_is_the_initial_one():
  policy = policies.build(BOX)
  expected = scipy.stats.norm.entropy(scale=policies.INITIAL_SCALE + policies.MIN_SCALE)
  np.testing.assert_allclose(policy.entropy(jnp.zeros(policy.size)), 3 * expected, rtol=1e-5)


def test_discrete_actions_are_their_own_samples_and_read_as_one_hot():
  policy = policies.build(DISCRETE)
  actions = jnp.asarray([0, 3], jnp.int32)
  np.testing.assert_array_equal(policy.action(actions), actions)
  np.testing.assert_array_equal(policy.features(actions), np.eye(4)[[0, 3]])


@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_actions_of_any_shape(shape):
  policy = policies.build(specs.BoundedArray(shape, np.float32, -1.0, 3.0))
  p = parameters(policy, shape=(7,))
  action = policy.action(policy.sample(jax.random.key(0), p))
  assert action.shape == policy.no_action(7).shape == (7, *shape)
  assert policy.features(action).shape == (7, policy.size // 2)
  assert policy.log_prob(p, policy.mode(p)).shape == (7,)


@pytest.mark.parametrize(
  ("spec", "message"),
  [
    (specs.BoundedArray((2,), np.float32, -np.inf, 1.0), "finite bounds"),
    (specs.BoundedArray((2,), np.float32, 1.0, 1.0), "maximum above its minimum"),
    (specs.BoundedArray((2,), np.int32, 0, 3), "expected a DiscreteArray or a BoundedArray"),
    (specs.Array((2,), np.float32), "expected a DiscreteArray or a BoundedArray"),
  ],
)
def test_actions_that_no_policy_fits_are_a_clear_error(spec, message):
  with pytest.raises(ValueError, match=message):
    policies.build(spec)
