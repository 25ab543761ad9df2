"""Soft actor-critic's targets, losses and gradients against NumPy in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.heads import policies
from agents.objectives import Context, ObjectiveConfig, registry
from agents.objectives.objective import View, episodic
from agents.objectives.sac import SACConfig
from agents.trajectory import Trajectory
from envs.environment import FIRST, LAST

LENGTH, BATCH, SIZE, DIMENSIONS = 6, 4, 3, 2
BOX = specs.BoundedArray((DIMENSIONS,), np.float32, [-2.0, 0.0], [2.0, 1.0])
POLICY = policies.squashed_gaussian(BOX)
KEY = jax.random.key(3)
GAMMA, LOG_ALPHA = 0.9, -0.7
jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def build(hidden=5, **settings):
  return registry.get("sac")(
    SACConfig(**settings), Context(BOX, ObjectiveConfig(discount=GAMMA), hidden, 1)
  )


def random_params(objective, seed):
  """Parameters of the heads, of size 1 everywhere, so that no part of the loss is small."""
  rng = np.random.default_rng(seed)
  params = objective.heads.init(jax.random.key(0), jnp.zeros((1, SIZE)))
  return jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32), params)


def view(objective, params, beliefs):
  return View(params, beliefs, objective.heads.apply(params, beliefs))


def make_case(make_step_types, objective, seed=0):
  """Online and target view, trajectory, rewards [T, B] and importance weights [T, B]."""
  rng = np.random.default_rng(seed)
  types = make_step_types(rng, LENGTH, BATCH)
  ends = rng.integers(0, 2, types.shape)
  action = rng.uniform(BOX.minimum, BOX.maximum, (*types.shape, DIMENSIONS))
  trajectory = Trajectory(
    observation=jnp.zeros(types.shape),
    action=jnp.asarray(action, jnp.float32),
    reward=jnp.where(types == FIRST, 0.0, 1.0),
    discount=jnp.asarray(np.where(types == LAST, ends, 1.0), jnp.float32),
    step_type=jnp.asarray(types),
    extras={},
    memory=(),
  )
  online, target = (
    view(
      objective,
      random_params(objective, seed + i),
      jnp.asarray(rng.normal(size=(*types.shape, SIZE)), jnp.float32),
    )
    for i in range(2)
  )
  rewards = jnp.asarray(rng.normal(size=(LENGTH, BATCH)), jnp.float32)
  weights = trajectory.mask * jnp.asarray(rng.uniform(0.2, 1.0, rewards.shape), jnp.float32)
  return online, target, trajectory, rewards, weights


def double(tree):
  return jax.tree.map(lambda x: np.asarray(x, np.float64), tree)


def affine(layer, x):
  return x @ layer["w"] + layer["b"]


def slow_policy(params, beliefs):
  """Means and standard deviations."""
  hidden = np.maximum(affine(params["policy_hidden/~/linear_0"], beliefs), 0.0)
  mean, raw = np.split(affine(params["policy"], hidden), 2, axis=-1)
  return mean, np.log1p(np.exp(raw)) / np.log(2.0) + policies.MIN_SCALE


def slow_critics(params, beliefs, unit):
  x = np.concatenate([beliefs, unit], axis=-1)
  return np.stack(
    [
      affine(params[f"q{i}/~/linear_1"], np.maximum(affine(params[f"q{i}/~/linear_0"], x), 0.0))
      for i in range(2)
    ]
  )[..., 0]


def noise(p, key):
  """The standard normal draws behind the samples of a policy."""
  mean, raw = np.split(double(p), 2, axis=-1)
  scale = np.log1p(np.exp(raw)) / np.log(2.0) + policies.MIN_SCALE
  return (double(POLICY.sample(key, p)) - mean) / scale


def slow_draw(params, beliefs, draws):
  """Actions in [-1, 1], and their log probability by the change of variables."""
  mean, scale = slow_policy(params, beliefs)
  u = mean + scale * draws
  log_normal = -0.5 * draws**2 - np.log(scale) - 0.5 * np.log(2.0 * np.pi)
  return np.tanh(u), np.sum(log_normal + 2.0 * np.log(np.cosh(u)), axis=-1)


def unit_actions(trajectory):
  return 2.0 * (double(trajectory.action) - BOX.minimum) / (BOX.maximum - BOX.minimum) - 1.0


def mean_of(x, weights):
  return np.sum(x * weights) / np.sum(weights > 0.0)


def slow_critic_loss(params, beliefs, case, wanted):
  q = slow_critics(params, beliefs[:-1], unit_actions(case[2])[:-1])
  return mean_of(0.5 * np.sum((q - wanted) ** 2, axis=0), double(case[4]))


def slow_policy_loss(params, critics, beliefs, case, draws):
  action, log_prob = slow_draw(params, beliefs[:-1], draws)
  q = slow_critics(critics, beliefs[:-1], action).min(axis=0)
  return mean_of(np.exp(LOG_ALPHA) * log_prob - q, double(case[4]))


def differences(f, tree, step=1e-6):
  """The gradient of f at a tree of float64 arrays."""
  leaves, structure = jax.tree.flatten(tree)
  gradients = [np.zeros_like(x) for x in leaves]
  for leaf, gradient in zip(leaves, gradients, strict=True):
    for at in np.ndindex(leaf.shape):
      kept = leaf[at]
      values = []
      for sign in (1.0, -1.0):
        leaf[at] = kept + sign * step
        values.append(f(jax.tree.unflatten(structure, leaves)))
      leaf[at] = kept
      gradient[at] = (values[0] - values[1]) / (2.0 * step)
  return jax.tree.unflatten(structure, gradients)


def gradients(objective, case, wanted):
  """Of the loss, by the duals, the heads' parameters and the beliefs."""
  online, _, trajectory, _, weights = case

  def total(log_alpha, params, beliefs):
    seen = view(objective, params, beliefs)
    return objective.loss(log_alpha, seen, trajectory, (wanted,), weights, KEY).total

  inputs = jnp.float32(LOG_ALPHA), online.heads, online.beliefs
  return jit(jax.grad(total, argnums=(0, 1, 2)))(*inputs)


@pytest.mark.parametrize("n", [1, 3])
def test_the_targets_equal_numpy(make_step_types, n):
  objective = build(n_steps=n)
  online, target, trajectory, rewards, _ = make_case(make_step_types, objective)
  streams = (episodic(rewards, GAMMA, trajectory),)
  prepare = jit(objective.prepare)
  (wanted,) = prepare(jnp.float32(LOG_ALPHA), online, target, trajectory, streams, KEY)
  # The action by the newest policy; its value by the moving averages of critics and beliefs.
  action, log_prob = slow_draw(double(online.heads), double(online.beliefs), noise(online.out, KEY))
  q = slow_critics(double(target.heads), double(target.beliefs), action).min(axis=0)
  bonus = -np.exp(LOG_ALPHA) * log_prob
  types, ends = np.asarray(trajectory.step_type), np.asarray(trajectory.discount)
  for t, b in zip(*np.nonzero(types[:-1] != LAST), strict=True):
    expected, discount, s = 0.0, 1.0, t
    while s < min(t + n, LENGTH) and types[s, b] != LAST:
      expected += discount * (rewards[s, b] + (bonus[s, b] if s > t else 0.0))
      s += 1
      discount *= GAMMA * ends[s, b]
    expected += discount * (q[s, b] + bonus[s, b])
    np.testing.assert_allclose(wanted[t, b], expected, rtol=1e-4, atol=1e-4)


def test_the_loss_and_its_metrics_equal_numpy(make_step_types):
  objective = build(entropy_target=-0.5)
  online, _, trajectory, rewards, weights = case = make_case(make_step_types, objective)
  run = jit(objective.loss)
  out = run(jnp.float32(LOG_ALPHA), online, trajectory, (rewards,), weights, KEY)
  params, beliefs = double(online.heads), double(online.beliefs)
  draws = noise(online.out[:-1], KEY)
  critic = slow_critic_loss(params, beliefs, case, double(rewards))
  actor = slow_policy_loss(params, params, beliefs, case, draws)
  entropy = double(POLICY.entropy(online.out[:-1]))
  dual = LOG_ALPHA * mean_of(entropy + 0.5 * DIMENSIONS, double(weights))
  np.testing.assert_allclose(out.total, critic + actor + dual, rtol=1e-4)
  real = np.asarray(weights) > 0.0
  q = slow_critics(params, beliefs[:-1], unit_actions(trajectory)[:-1])
  errors = np.mean(np.abs(q - rewards), axis=0)
  np.testing.assert_allclose(out.errors, errors, rtol=1e-4)
  np.testing.assert_allclose(out.metrics["td_error"], errors[real].mean(), rtol=1e-4)
  np.testing.assert_allclose(out.metrics["entropy"], entropy[real].mean(), rtol=1e-4)
  np.testing.assert_allclose(out.metrics["alpha"], np.exp(LOG_ALPHA), rtol=1e-5)


def test_each_gradient_equals_the_differences_of_its_own_loss(make_step_types):
  """Critics and beliefs get that of the critics' loss, the policy that of its own: no more."""
  objective = build()
  case = make_case(make_step_types, objective)
  online, wanted = case[0], case[3]
  by_alpha, by_params, by_beliefs = gradients(objective, case, wanted)
  params, beliefs = double(online.heads), double(online.beliefs)
  draws = noise(online.out[:-1], KEY)
  of_critics = differences(lambda p: slow_critic_loss(p, beliefs, case, double(wanted)), params)
  of_policy = differences(lambda p: slow_policy_loss(p, params, beliefs, case, draws), params)
  of_beliefs = differences(lambda b: slow_critic_loss(params, b, case, double(wanted)), beliefs)
  np.testing.assert_allclose(by_beliefs, of_beliefs, rtol=1e-3, atol=1e-4)
  for name, layer in by_params.items():
    expected = (of_policy if name.startswith("policy") else of_critics)[name]
    for part in layer:
      np.testing.assert_allclose(layer[part], expected[part], rtol=1e-3, atol=1e-4)
  # Of log alpha: entropy less its target, -1 a dimension.
  surplus = double(POLICY.entropy(online.out[:-1])) + DIMENSIONS
  np.testing.assert_allclose(by_alpha, mean_of(surplus, double(case[4])), rtol=1e-4)


@pytest.mark.parametrize(("target", "sign"), [(-5.0, 1.0), (0.69, -1.0)])
def test_alpha_falls_where_entropy_is_above_its_target_and_rises_below(
  make_step_types, target, sign
):
  objective = build(entropy_target=target)
  case = make_case(make_step_types, objective)
  assert np.sign(gradients(objective, case, case[3])[0]) == sign


def test_steps_without_weight_teach_nothing(make_step_types):
  objective = build()
  online, target, trajectory, rewards, weights = make_case(make_step_types, objective)
  weights = weights.at[:2].set(0.0)  # burn-in, beside the steps that are not real
  case = online, target, trajectory, rewards, weights
  by_alpha, by_params, by_beliefs = gradients(objective, case, rewards)
  np.testing.assert_array_equal(np.asarray(by_beliefs[:-1])[np.asarray(weights) == 0.0], 0.0)
  np.testing.assert_array_equal(by_beliefs[-1], 0.0)
  # What they would have learned may be anything.
  other = rewards + 100.0 * (weights == 0.0)
  again = gradients(objective, case, other)
  jax.tree.map(np.testing.assert_array_equal, again, (by_alpha, by_params, by_beliefs))
  assert not np.allclose(by_params["policy"]["w"], 0.0)


def test_a_batch_that_teaches_nothing_has_gradients_of_0(make_step_types):
  objective = build()
  *case, weights = make_case(make_step_types, objective)
  for gradient in jax.tree.leaves(
    gradients(objective, (*case, jnp.zeros_like(weights)), jnp.zeros((LENGTH, BATCH)))
  ):
    np.testing.assert_array_equal(gradient, 0.0)


@pytest.mark.parametrize("hidden", [0, 5])
def test_saturated_policies_have_finite_targets_and_gradients(make_step_types, hidden):
  objective = build(hidden)
  online, target, trajectory, rewards, weights = make_case(make_step_types, objective)
  heads = online.heads | {"policy": jax.tree.map(lambda x: 1e3 * x, online.heads["policy"])}
  online = view(objective, heads, online.beliefs)
  assert np.max(np.abs(online.out)) > 1e3
  streams = (episodic(rewards, GAMMA, trajectory),)
  (wanted,) = objective.prepare(jnp.float32(0.0), online, target, trajectory, streams, KEY)
  assert np.all(np.isfinite(wanted))
  case = online, target, trajectory, rewards, weights
  for gradient in jax.tree.leaves(gradients(objective, case, wanted)):
    assert np.all(np.isfinite(gradient))


def test_alpha_starts_at_its_setting():
  np.testing.assert_allclose(np.exp(build(temperature=0.2).init()), 0.2, rtol=1e-6)


def test_discrete_actions_are_a_clear_error():
  with pytest.raises(ValueError, match="soft_q"):
    registry.get("sac")(SACConfig(), Context(specs.DiscreteArray(3), ObjectiveConfig(), 8, 1))


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"temperature": 0.0}, "temperature is 0.0"),
    ({"target_decay": 1.1}, "target_decay is 1.1"),
    ({"n_steps": 0}, "n_steps is 0"),
  ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
  with pytest.raises(ValueError, match=message):
    SACConfig(**settings)
