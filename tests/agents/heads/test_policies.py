"""The policies against distrax, SciPy and samples."""

import itertools

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from dm_env import specs

from agents.heads import policies
from envs.random_action import random_action

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
def test_every_function_equals_distrax(spec):
  policy = policies.build(spec)
  wrap = jax.jit
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


def squashed_line():
  """Parameters of three policies of one action, and what they are: mean and deviation."""
  p = jnp.asarray([[0.0, 0.0], [0.8, -1.0], [-1.5, 0.6]])
  scales = (
    policies.SQUASHED_INITIAL_SCALE / policies.INITIAL_SCALE * (scale(p[:, 1]) - policies.MIN_SCALE)
    + policies.MIN_SCALE
  )
  return p, np.asarray(p[:, 0]), scales


LINE = specs.BoundedArray((1,), np.float32, -2.0, 6.0)


def test_the_density_of_squashed_actions_integrates_to_their_probability():
  policy = policies.squashed_gaussian(LINE)
  p, mean, scales = squashed_line()
  unit = np.linspace(-0.95, 0.95, 4001)
  log_prob = jax.jit(policy.log_prob)
  for i in range(len(p)):
    density = np.exp(log_prob(p[i], jnp.asarray(np.arctanh(unit)[:, None], jnp.float32)))
    mass = scipy.integrate.cumulative_trapezoid(density, x=unit, initial=0.0)
    cdf = scipy.stats.norm.cdf(np.arctanh(unit), mean[i], scales[i])
    np.testing.assert_allclose(mass, cdf - cdf[0], atol=1e-4)


def test_the_entropy_of_squashed_actions_is_that_of_their_density():
  policy = policies.squashed_gaussian(LINE)
  p, mean, scales = squashed_line()
  for i in range(len(p)):
    u = np.linspace(mean[i] - 10 * scales[i], mean[i] + 10 * scales[i], 20001)
    density = scipy.stats.norm.pdf(u, mean[i], scales[i])
    # -log(1 - tanh^2) = 2 log cosh, the other way to write it.
    log_density = scipy.stats.norm.logpdf(u, mean[i], scales[i]) + 2 * np.log(np.cosh(u))
    expected = scipy.integrate.simpson(-density * log_density, x=u)
    np.testing.assert_allclose(policy.entropy(p[i]), expected, atol=1e-3)
  several = policies.squashed_gaussian(BOX)
  np.testing.assert_allclose(
    several.entropy(jnp.concatenate([p[:, 0], p[:, 1]])), policy.entropy(p).sum(), rtol=1e-5
  )


def test_a_fresh_squashed_policy_is_nearly_uniform():
  policy = policies.squashed_gaussian(BOX)
  assert 3 * np.log(2.0) - policy.entropy(jnp.zeros(policy.size)) < 0.1
  p = jnp.zeros((20000, policy.size))
  unit = policy.features(policy.action(policy.sample(jax.random.key(0), p)))
  shares = np.stack([np.histogram(u, 4, (-1.0, 1.0))[0] for u in np.asarray(unit).T]) / len(p)
  np.testing.assert_allclose(shares, 0.25, atol=0.05)


def test_a_squashed_sample_is_scaled_to_the_bounds_and_read_back():
  policy = policies.squashed_gaussian(BOX)
  sample = jnp.asarray([[0.0, 0.5, -0.5], [30.0, -30.0, 30.0]])
  action = policy.action(sample)
  unit = np.tanh(sample)
  low, high = BOX.minimum, BOX.maximum
  np.testing.assert_allclose(action, low + (high - low) * (unit + 1) / 2, rtol=1e-6)
  np.testing.assert_array_equal(action[1], [2.0, 0.0, -0.5])
  np.testing.assert_allclose(policy.features(action), unit, atol=1e-6)


def test_the_squashed_kl_is_that_of_the_densities():
  policy = policies.squashed_gaussian(LINE)
  (p, q, _), mean, scales = squashed_line()
  u = np.linspace(mean[0] - 10 * scales[0], mean[0] + 10 * scales[0], 20001)
  density = scipy.stats.norm.pdf(u, mean[0], scales[0])
  parts = policy.kl(p, q)
  for name, mixed in (("kl_mean", [q[0], p[1]]), ("kl_covariance", [p[0], q[1]])):
    log_p, log_q = (
      np.asarray(policy.log_prob(x, jnp.asarray(u[:, None], jnp.float32)), np.float64)
      for x in (p, jnp.asarray(mixed))
    )
    expected = scipy.integrate.simpson(density * (log_p - log_q), x=u)
    np.testing.assert_allclose(parts[name], expected, rtol=1e-4)


@pytest.mark.parametrize("far", [20.0, 1e4])
def test_the_squashed_log_probability_of_far_samples_is_finite_and_right(far):
  policy = policies.squashed_gaussian(BOX)
  sample = jnp.asarray([[far, -far, 0.0]])
  p = jnp.zeros(policy.size)

  def total(p, sample):
    return jnp.sum(policy.log_prob(p, sample))

  value, gradients = jax.value_and_grad(total, argnums=(0, 1))(p, sample)
  # -log(1 - tanh^2 u) is 2 |u| - 2 log 2 far out.
  deviation = policies.SQUASHED_INITIAL_SCALE + policies.MIN_SCALE
  normal = scipy.stats.norm.logpdf(np.asarray(sample), scale=deviation).sum()
  np.testing.assert_allclose(value, normal + 2 * (2 * far - 2 * np.log(2.0)), rtol=1e-5)
  assert all(np.all(np.isfinite(g)) for g in gradients)


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


FACTORED = specs.BoundedArray((2, 2), np.int32, 0, [[2, 0], [3, 1]])
COUNTS = (3, 1, 4, 2)


def joint(p):
  """Every action, int [24, 4], and its probability [24] under independent softmaxes, in float64."""
  parts = np.split(np.asarray(p, np.float64), np.cumsum(COUNTS)[:-1])
  shares = [np.exp(part) / np.exp(part).sum() for part in parts]
  every = np.array(list(itertools.product(*(range(n) for n in COUNTS))))
  return every, np.array(
    [np.prod([s[i] for s, i in zip(shares, one, strict=True)]) for one in every]
  )


def test_a_factored_policy_is_the_joint_of_its_entries():
  policy = policies.build(FACTORED)
  wrap = jax.jit
  p, q = parameters(policy, shape=()), parameters(policy, seed=1, shape=())
  (every, mass), (_, other) = joint(p), joint(q)
  log_prob = wrap(policy.log_prob)(jnp.broadcast_to(p, (len(every), policy.size)), every)
  np.testing.assert_allclose(log_prob, np.log(mass), rtol=1e-5)
  np.testing.assert_allclose(np.exp(log_prob).sum(), 1.0, rtol=1e-5)
  np.testing.assert_allclose(wrap(policy.entropy)(p), -np.sum(mass * np.log(mass)), rtol=1e-5)
  expected = np.sum(mass * np.log(mass / other))
  np.testing.assert_allclose(wrap(policy.kl)(p, q)["kl"], expected, rtol=1e-5)
  np.testing.assert_array_equal(wrap(policy.mode)(p), every[np.argmax(mass)])


def test_samples_of_a_factored_policy_have_its_probabilities():
  policy = policies.build(FACTORED)
  p = parameters(policy, shape=())
  every, mass = joint(p)
  sample = policy.sample(jax.random.key(0), jnp.broadcast_to(p, (20000, policy.size)))
  assert (sample.shape, sample.dtype) == ((20000, 4), jnp.int32)
  found = [np.mean(np.all(np.asarray(sample) == one, axis=1)) for one in every]
  np.testing.assert_allclose(found, mass, atol=0.01)


def test_gradients_of_a_factored_policy_are_finite_and_even_out_its_entropy():
  policy = policies.build(FACTORED)
  p = parameters(policy, shape=())
  q = parameters(policy, seed=1, shape=())
  for f in (policy.entropy, lambda p: policy.kl(p, q)["kl"], lambda p: policy.kl(q, p)["kl"]):
    assert np.all(np.isfinite(jax.grad(f)(p)))
  np.testing.assert_allclose(jax.grad(policy.entropy)(jnp.zeros(policy.size)), 0.0, atol=1e-6)


def test_a_factored_action_has_the_shape_of_its_spec_and_reads_as_one_hots_in_a_row():
  policy = policies.build(FACTORED)
  sample = jnp.asarray([[[2, 0, 3, 1]], [[0, 0, 1, 0]]], jnp.int32)
  action = policy.action(sample)
  assert action.shape == (2, 1, 2, 2)
  assert policy.no_action(7).shape == (7, 2, 2)
  assert (policy.no_action(7).dtype, action.dtype) == (jnp.int32, jnp.int32)
  expected = [[[0, 0, 1, 1, 0, 0, 0, 1, 0, 1]], [[1, 0, 0, 1, 0, 1, 0, 0, 1, 0]]]
  np.testing.assert_array_equal(policy.features(action), expected)


def test_the_error_of_predicted_integers_is_the_cross_entropy_of_every_entry():
  policy = policies.build(FACTORED)
  p = parameters(policy, shape=())
  every, mass = joint(p)
  predicted = jnp.broadcast_to(p, (len(every), policy.size))
  error = policy.error(predicted, jnp.asarray(every).reshape(-1, 2, 2))
  np.testing.assert_allclose(error, -np.log(mass), rtol=1e-5)


UNBOUNDED = specs.Array((2,), np.float32)
PARTLY = specs.BoundedArray(
  (4,), np.float32, [-np.inf, 3.0, -np.inf, -2.0], [np.inf, np.inf, 5.0, 4.0]
)


def test_a_gaussian_without_bounds_is_neither_scaled_nor_clipped():
  policy = policies.build(UNBOUNDED)
  sample = jnp.asarray([[-1e6, 1e-6], [0.3, 7.0]], jnp.float32)
  np.testing.assert_array_equal(policy.action(sample), sample)
  np.testing.assert_array_equal(policy.features(sample), sample)
  p = parameters(policy, shape=(2,))
  mean, raw = np.split(np.asarray(p), 2, axis=-1)
  deviation = (scale(raw) - policies.MIN_SCALE) / policies.INITIAL_SCALE + policies.MIN_SCALE
  near = jnp.asarray(mean + np.array([[0.5, -2.0], [1.0, 0.0]]), jnp.float32)
  expected = scipy.stats.norm.logpdf(near, mean, deviation).sum(axis=-1)
  np.testing.assert_allclose(policy.log_prob(p, near), expected, rtol=1e-5)
  expected = scipy.stats.norm.entropy(scale=deviation).sum(axis=-1)
  np.testing.assert_allclose(policy.entropy(p), expected, rtol=1e-5)


def test_entries_with_one_bound_are_counted_from_within_it_and_clipped_there_alone():
  policy = policies.build(PARTLY)
  sample = jnp.asarray([[0.0, 0.0, 0.0, 0.0], [-9.0, -9.0, 9.0, 9.0], [9.0, 9.0, -9.0, -9.0]])
  action = policy.action(sample)
  expected = [[0.0, 4.0, 4.0, 1.0], [-9.0, 3.0, 5.0, 4.0], [9.0, 13.0, -5.0, -2.0]]
  np.testing.assert_allclose(action, expected)
  expected = [[0.0, 0.0, 0.0, 0.0], [-9.0, -1.0, 1.0, 1.0], [9.0, 9.0, -9.0, -1.0]]
  np.testing.assert_allclose(policy.features(action), expected, atol=1e-6)


@pytest.mark.parametrize("spec", [UNBOUNDED, PARTLY])
def test_a_squashed_policy_without_bounds_is_refused_with_a_way_out(spec):
  with pytest.raises(ValueError, match=r"--objective vmpo, ppo or vtrace, or .*TransformAction"):
    policies.squashed_gaussian(spec)


@pytest.mark.parametrize(
  ("spec", "message"),
  [
    (specs.BoundedArray((2,), np.float32, 1.0, 1.0), "maximum above its minimum"),
    (specs.BoundedArray((2,), np.int32, 1, 3), "a BoundedArray of integers from 0"),
    (specs.BoundedArray((0,), np.float32, 0.0, 1.0), "at least one entry"),
    (specs.Array((2,), np.int32), "a BoundedArray of integers from 0"),
  ],
)
def test_actions_that_no_policy_fits_are_a_clear_error(spec, message):
  with pytest.raises(ValueError, match=message):
    policies.build(spec)


HALF = specs.BoundedArray(
  (2, 2), np.float32, [[-1, 0], [-np.inf, -np.inf]], [[3, np.inf], [1, np.inf]]
)


@pytest.mark.parametrize("spec", [BOX, HALF], ids=["bounded", "bounded in part"])
def test_the_uniform_policy_is_random_play_of_its_density(spec):
  policy = policies.uniform(spec)
  p = parameters(policy, shape=(20_000,))  # which do not matter
  sample = policy.sample(jax.random.key(0), p)
  action = policy.action(sample)
  np.testing.assert_array_equal(action, random_action(spec, jax.random.key(0), (20_000,)))
  log_prob = policy.log_prob(p, sample)
  assert log_prob.shape == (20_000,)
  assert float(-jnp.mean(log_prob)) == pytest.approx(float(policy.entropy(p)[0]), abs=0.03)
  if spec is BOX:
    np.testing.assert_allclose(log_prob, -np.log(4.0 * 1.0 * 0.5), rtol=1e-5)
  assert policy.action(policy.mode(p)).shape == (20_000, *spec.shape)


def test_the_uniform_policy_plays_allowed_actions_alike():
  policy = policies.uniform(DISCRETE)
  p = policy.mask(jnp.zeros((4000, 4)), jnp.array([True, False, True, True]))
  counts = np.bincount(policy.sample(jax.random.key(0), p), minlength=4)
  assert counts[1] == 0
  assert counts[[0, 2, 3]].min() > 1200
