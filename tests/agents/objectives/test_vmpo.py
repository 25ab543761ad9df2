"""V-MPO's loss and gradients, against NumPy in float64 and the paper's identities."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.heads.policy_value import PolicyAndValue
from agents.objectives import Context, ObjectiveConfig, registry
from agents.objectives.objective import View, episodic
from agents.objectives.vmpo import VMPOConfig
from agents.trajectory import Trajectory
from envs.environment import LAST, MID

LENGTH, BATCH, ACTIONS = 7, 5, 3


def build(config, **shared):
  """The objective, its loss a function (duals, logits, values, trajectory, rewards)."""
  actions = specs.DiscreteArray(ACTIONS)
  objective = registry.get("vmpo")(config, Context(actions, ObjectiveConfig(**shared), 8, 1))
  loss = functools.partial(of_arrays, objective.loss, ObjectiveConfig(**shared))
  return objective._replace(loss=loss)


def of_arrays(loss, shared, duals, p, values, trajectory, rewards):
  """(total with the entropy, metrics) of a loss, given what the heads say as arrays."""
  view = View((), jnp.zeros(()), PolicyAndValue(p, values))
  weights = trajectory.mask.astype(jnp.float32)
  streams = (episodic(rewards, shared.discount, trajectory),)
  out = loss(duals, view, trajectory, streams, weights, jax.random.key(0))
  weighted = shared.value_weight * out.value - shared.entropy_weight * out.entropy
  return out.total + weighted, out.metrics


def softplus(x):
  return np.log1p(np.exp(x)) + 1e-6


def log_softmax(x):
  return x - np.log(np.sum(np.exp(x), axis=-1, keepdims=True))


def case(make_trajectory, seed=0, on_policy=False):
  rng = np.random.default_rng(seed)
  trajectory = make_trajectory(rng, LENGTH, BATCH, actions=ACTIONS)
  logits = rng.normal(size=(LENGTH + 1, BATCH, ACTIONS)).astype(np.float32)
  if on_policy:
    trajectory = trajectory._replace(extras=trajectory.extras | {"policy": jnp.asarray(logits)})
  values = rng.normal(size=(LENGTH + 1, BATCH)).astype(np.float32)
  rewards = rng.normal(size=(LENGTH, BATCH)).astype(np.float32)
  params = {"temperature": jnp.float32(0.3), "kl_penalty": jnp.float32(-0.2)}
  return params, jnp.asarray(logits), jnp.asarray(values), trajectory, jnp.asarray(rewards)


def gae(values, rewards, discounts, real, lambda_):
  advantage, after = np.zeros_like(rewards), np.zeros(rewards.shape[1])
  for t in reversed(range(len(rewards))):
    delta = rewards[t] + discounts[t] * values[t + 1] - values[t]
    advantage[t] = after = np.where(real[t], delta + lambda_ * discounts[t] * after, 0.0)
  return advantage


def slow_parts(config, discount, params, logits, values, trajectory, rewards):
  """The terms of the loss and what they are made of."""
  params = {k: np.float64(v) for k, v in params.items()}
  logits, values, rewards = (np.asarray(x, np.float64) for x in (logits, values, rewards))
  real = np.asarray(trajectory.step_type)[:-1] != LAST
  pi, mu = log_softmax(logits[:-1]), log_softmax(np.asarray(trajectory.extras["policy"][:-1]))
  action = np.asarray(trajectory.action[:-1])
  log_prob = np.take_along_axis(pi, action[..., None], -1)[..., 0]
  discounts = discount * np.asarray(trajectory.discount[1:], np.float64)
  advantage = gae(values, rewards, discounts, real, config.trace_lambda)
  kl = np.sum(np.exp(mu) * (mu - pi), axis=-1)[real].mean()
  eta, alpha = softplus(params["temperature"]), softplus(params["kl_penalty"])
  scaled = advantage[real] / (advantage[real].std() if config.scale_advantages else 1.0)
  order = np.argsort(scaled)[::-1][: int(config.top_fraction * real.sum())]
  best = scaled[order]
  psi = np.exp(best / eta) / np.sum(np.exp(best / eta))
  return {
    "policy": -np.sum(psi * log_prob[real][order]),
    "temperature": eta * (config.epsilon_temperature + np.log(np.mean(np.exp(best / eta)))),
    "kl": alpha * kl,
    "alpha": alpha * (config.epsilon_kl - kl),
    "value": 0.5 * np.mean(advantage[real] ** 2),
    "entropy": -np.mean(np.sum(np.exp(pi) * pi, axis=-1)[real]),
    "mean_kl": kl,
    "best": best,
    "psi": psi,
    "chosen": np.argwhere(real)[order],
    "advantage": advantage,
  }


CONFIG = VMPOConfig(advantage="gae", trace_lambda=0.8)
GAMMA = 0.9
SHARED = {"discount": GAMMA, "entropy_weight": 0.2, "value_weight": 0.7}


@pytest.mark.parametrize("scale", [False, True])
def test_the_loss_equals_numpy(make_trajectory, scale):
  config = dataclasses.replace(CONFIG, scale_advantages=scale)
  objective = build(config, **SHARED)
  inputs = case(make_trajectory)
  total, metrics = jax.jit(objective.loss)(*inputs)
  slow = slow_parts(config, GAMMA, *inputs)
  # rlax's temperature loss is of shifted advantages: the shift, by the best, moves no gradient.
  np.testing.assert_allclose(
    total,
    slow["policy"] + slow["temperature"] - slow["best"][0] + slow["kl"] + slow["alpha"]
    + 0.7 * slow["value"] - 0.2 * slow["entropy"],
    rtol=1e-4,
  )  # fmt: skip
  for name, part in (("policy_loss", "policy"), ("value_loss", "value"), ("kl", "mean_kl")):
    np.testing.assert_allclose(metrics[name], slow[part], rtol=1e-4)
  np.testing.assert_allclose(metrics["entropy"], slow["entropy"], rtol=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_duals_gradients_equal_finite_differences(make_trajectory, seed):
  objective = build(CONFIG, **SHARED)
  params, *rest = case(make_trajectory, seed)
  gradient = jax.grad(lambda p: objective.loss(p, *rest)[0])(params)

  def difference(name, part):
    step = 1e-5
    up, down = (
      slow_parts(CONFIG, GAMMA, params | {name: np.float64(params[name]) + s}, *rest)[part]
      for s in (step, -step)
    )
    return (up - down) / (2 * step)

  # In the penalty alpha * KL itself alpha is held fixed, so only its dual loss counts.
  np.testing.assert_allclose(
    gradient["temperature"], difference("temperature", "temperature"), rtol=1e-3, atol=1e-5
  )
  np.testing.assert_allclose(
    gradient["kl_penalty"], difference("kl_penalty", "alpha"), rtol=1e-3, atol=1e-5
  )


def test_the_duals_move_the_right_way(make_trajectory):
  params, logits, values, trajectory, rewards = case(make_trajectory)
  for epsilon, sign in ((1e-6, -1.0), (50.0, 1.0)):  # bound broken: descent raises the dual
    config = VMPOConfig(epsilon_kl=epsilon, epsilon_temperature=epsilon, initial_temperature=0.1)
    loss = build(config).loss
    gradient = jax.grad(lambda p: loss(p, logits, values, trajectory, rewards)[0])(params)  # noqa: B023
    assert np.sign(gradient["kl_penalty"]) == sign
    assert np.sign(gradient["temperature"]) == sign


def test_on_policy_the_kl_is_zero_and_the_logits_gradient_gives_the_weights(make_trajectory):
  objective = build(CONFIG, discount=GAMMA, entropy_weight=0.0)
  params, logits, values, trajectory, rewards = inputs = case(make_trajectory, on_policy=True)
  np.testing.assert_allclose(objective.loss(*inputs)[1]["kl"], 0.0, atol=1e-6)
  gradient = jax.grad(lambda x: objective.loss(params, x, values, trajectory, rewards)[0])(logits)
  # d(-psi log pi(a)) / d logits = psi (pi - onehot(a)); the KL is at its least, so adds nothing.
  pi = np.asarray(jax.nn.softmax(logits))[:-1]
  taken = np.take_along_axis(
    np.asarray(gradient)[:-1], np.asarray(trajectory.action[:-1, :, None]), -1
  )
  chance = np.take_along_axis(pi, np.asarray(trajectory.action[:-1, :, None]), -1)
  psi = (-taken / (1 - chance))[..., 0]
  slow = slow_parts(CONFIG, GAMMA, *inputs)
  expected = np.zeros((LENGTH, BATCH))
  for (t, b), weight in zip(slow["chosen"], slow["psi"], strict=True):
    expected[t, b] = weight
  np.testing.assert_allclose(psi, expected, atol=1e-5)
  np.testing.assert_allclose(psi.sum(), 1.0, atol=1e-4)
  real = np.asarray(trajectory.mask)
  assert np.sum(psi > 1e-6) == real.sum() // 2  # the better half of the real steps
  np.testing.assert_allclose(psi[~real], 0.0, atol=1e-7)


def test_the_value_gradient_is_that_of_the_mean_over_real_steps(make_trajectory):
  objective = build(CONFIG, discount=GAMMA, value_weight=3.0)
  params, logits, values, trajectory, rewards = inputs = case(make_trajectory)
  gradient = jax.grad(lambda v: objective.loss(params, logits, v, trajectory, rewards)[0])(values)
  advantage = slow_parts(CONFIG, GAMMA, *inputs)["advantage"]
  np.testing.assert_allclose(gradient[:-1], -3.0 * advantage / trajectory.mask.sum(), atol=1e-6)
  np.testing.assert_array_equal(gradient[-1], 0.0)


def test_steps_that_are_not_real_get_no_gradient(make_trajectory):
  objective = build(VMPOConfig(), entropy_weight=0.1)
  params, logits, values, trajectory, rewards = case(make_trajectory, seed=3)
  by_logits, by_values = jax.grad(
    lambda x, v: objective.loss(params, x, v, trajectory, rewards)[0], argnums=(0, 1)
  )(logits, values)
  last = np.asarray(trajectory.step_type) == LAST
  assert last[:-1].any()
  np.testing.assert_array_equal(np.asarray(by_logits)[last], 0.0)
  np.testing.assert_array_equal(np.asarray(by_values)[last], 0.0)


def with_padding(inputs):
  """The same steps and, in further columns of the batch, LAST steps that teach nothing."""
  params, logits, values, trajectory, rewards = inputs
  wide = [jnp.concatenate([x, x, x], axis=1) for x in (logits, values, rewards)]
  trajectory = jax.tree.map(lambda x: jnp.concatenate([x, x, x], axis=1), trajectory)
  types = trajectory.step_type.at[:, BATCH:].set(LAST)
  return params, wide[0], wide[1], trajectory._replace(step_type=types), wide[2]


@pytest.mark.parametrize("shift", [0.0, -30.0])
def test_steps_that_are_not_real_dilute_nothing(make_trajectory, shift):
  # Neither the better half, nor the KL's mean, nor the weights where all advantages are negative.
  objective = build(VMPOConfig(advantage="gae"), discount=0.0)
  params, logits, values, trajectory, rewards = case(make_trajectory, seed=4)
  inputs = params, logits, values, trajectory, rewards + shift
  run = jax.value_and_grad(lambda p, *rest: objective.loss(p, *rest), has_aux=True)
  (_, metrics), gradient = run(*inputs)
  (_, padded), padded_gradient = run(*with_padding(inputs))
  for name in ("policy_loss", "value_loss", "kl", "entropy", "value"):
    np.testing.assert_allclose(padded[name], metrics[name], rtol=1e-4)
  for name in gradient:
    np.testing.assert_allclose(padded_gradient[name], gradient[name], rtol=1e-4)


@pytest.mark.parametrize("mode", ["vtrace", "gae"])
def test_a_batch_without_real_steps_is_finite(make_trajectory, mode):
  objective = build(VMPOConfig(advantage=mode))
  params, logits, values, trajectory, rewards = case(make_trajectory)
  types = jnp.full_like(trajectory.step_type, LAST)
  trajectory = trajectory._replace(step_type=types)
  gradients = jax.grad(
    lambda p, x, v: objective.loss(p, x, v, trajectory, rewards)[0], argnums=(0, 1, 2)
  )(params, logits, values)
  assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(gradients))


def test_vtrace_corrects_for_the_behaviour_and_gae_does_not(make_trajectory):
  params, logits, values, trajectory, rewards = case(make_trajectory)
  trajectory = trajectory._replace(step_type=jnp.full_like(trajectory.step_type, MID))
  extras = trajectory.extras | {"policy": -trajectory.extras["policy"]}
  other = trajectory._replace(extras=extras)

  def value_loss(mode, trajectory: Trajectory):
    objective = build(VMPOConfig(advantage=mode))
    return float(objective.loss(params, logits, values, trajectory, rewards)[1]["value_loss"])

  assert value_loss("gae", trajectory) == value_loss("gae", other)
  assert value_loss("vtrace", trajectory) != value_loss("vtrace", other)


def test_the_duals_start_at_their_initial_values():
  params = build(VMPOConfig(initial_temperature=0.7, initial_kl_penalty=3.0)).init()
  np.testing.assert_allclose(jax.nn.softplus(params["temperature"]), 0.7, rtol=1e-5)
  np.testing.assert_allclose(jax.nn.softplus(params["kl_penalty"]), 3.0, rtol=1e-5)


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"initial_temperature": 0.0}, "initial_temperature is 0.0"),
    ({"top_fraction": 0.0}, "top_fraction"),
    ({"behaviour_period": 0}, "behaviour_period is 0"),
  ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
  with pytest.raises(ValueError, match=message):
    VMPOConfig(**settings)
