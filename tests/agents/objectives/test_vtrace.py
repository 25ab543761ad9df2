"""The V-trace actor-critic's loss and gradients, written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.heads.policy_value import PolicyAndValue
from agents.objectives import Context, ObjectiveConfig, registry
from agents.objectives.objective import View, episodic
from agents.objectives.vtrace import VTraceConfig
from envs.environment import LAST

LENGTH, BATCH, ACTIONS, GAMMA = 9, 6, 3, 0.9
VALUE_WEIGHT, ENTROPY_WEIGHT = 0.7, 0.2


def inputs(make_trajectory, seed=0):
  """Logits [T+1, B, A], values [T+1, B], the trajectory, rewards and weights [T, B]."""
  rng = np.random.default_rng(seed)
  trajectory = make_trajectory(rng, LENGTH, BATCH, actions=ACTIONS)
  logits, values = (
    rng.normal(size=(LENGTH + 1, BATCH, ACTIONS)),
    rng.normal(size=(LENGTH + 1, BATCH)),
  )
  weights = rng.uniform(0.1, 1.0, BATCH) * np.asarray(trajectory.mask)
  rewards = rng.normal(size=(LENGTH, BATCH))
  arrays = [jnp.asarray(x, jnp.float32) for x in (logits, values, rewards, weights)]
  return *arrays[:2], trajectory, *arrays[2:]


def run(logits, values, trajectory, rewards, weights):
  """Loss and its gradients by logits and values."""
  shared = ObjectiveConfig(discount=GAMMA, value_weight=VALUE_WEIGHT, entropy_weight=ENTROPY_WEIGHT)
  context = Context(specs.DiscreteArray(ACTIONS), shared, 8, 1)
  objective, key = registry.get("vtrace")(VTraceConfig(), context), jax.random.key(0)

  def loss(logits, values):
    view = View((), jnp.zeros(()), PolicyAndValue(logits, values))
    streams = (episodic(rewards, GAMMA, trajectory),)
    targets = objective.prepare({}, view, view, trajectory, streams, key)
    out = objective.loss({}, view, trajectory, targets, weights, key)
    return out.total + VALUE_WEIGHT * out.value - ENTROPY_WEIGHT * out.entropy

  return jax.value_and_grad(loss, argnums=(0, 1))(logits, values)


def softmax(x):
  p = np.exp(np.asarray(x, np.float64))
  return p / p.sum(axis=-1, keepdims=True)


def slow(logits, values, trajectory, rewards, weights):
  """The same, by equation 1 and section 4.2 of the paper."""
  pi, mu = softmax(logits), softmax(trajectory.extras["policy"])
  action = np.asarray(trajectory.action)[..., None]
  values, rewards, weights = (np.asarray(x, np.float64) for x in (values, rewards, weights))
  chance = np.take_along_axis(pi, action, -1)[..., 0]
  rho = np.minimum(1.0, chance / np.take_along_axis(mu, action, -1)[..., 0])
  discounts = GAMMA * np.asarray(trajectory.discount[1:], np.float64)
  real = np.asarray(trajectory.step_type) != LAST
  target, advantage = values.copy(), np.zeros_like(rewards)
  for t, b in np.argwhere(real[:-1]):
    s, factor = t, 1.0
    while s < LENGTH and real[s, b]:
      delta = rewards[s, b] + discounts[s, b] * values[s + 1, b] - values[s, b]
      target[t, b] += factor * rho[s, b] * delta
      factor *= discounts[s, b] * rho[s, b]
      s += 1
  for t, b in np.argwhere(real[:-1]):
    follows = discounts[t, b] * target[t + 1, b]
    advantage[t, b] = rho[t, b] * (rewards[t, b] + follows - values[t, b])
  log_pi, share = np.log(pi), weights / np.sum(weights > 0)
  entropy = -np.sum(pi * log_pi, axis=-1)
  losses = -advantage * np.log(chance[:-1]) - ENTROPY_WEIGHT * entropy[:-1]
  losses += VALUE_WEIGHT / 2 * (values - target)[:-1] ** 2
  by_logits, by_values = np.zeros_like(pi), np.zeros_like(values)
  of_log_pi = np.eye(ACTIONS)[action[:-1, :, 0]] - pi[:-1]
  of_entropy = -pi * (log_pi + entropy[..., None])
  by_logits[:-1] = share[..., None] * (
    -advantage[..., None] * of_log_pi - ENTROPY_WEIGHT * of_entropy[:-1]
  )
  by_values[:-1] = share * VALUE_WEIGHT * (values - target)[:-1]
  return np.sum(share * losses), (by_logits, by_values)


def test_loss_and_gradients_equal_numpy_so_none_goes_through_targets(make_trajectory):
  arguments = inputs(make_trajectory)
  loss, gradients = jax.jit(run)(*arguments)
  slow_loss, slow_gradients = slow(*arguments)
  np.testing.assert_allclose(loss, slow_loss, rtol=1e-4)
  for fast, expected in zip(gradients, slow_gradients, strict=True):
    np.testing.assert_allclose(fast, expected, atol=1e-5)


def test_lambda_outside_its_range_is_refused():
  with pytest.raises(ValueError, match=r"trace_lambda is 1\.5"):
    VTraceConfig(trace_lambda=1.5)
