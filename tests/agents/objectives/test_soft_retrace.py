"""Retrace over soft values, against the sum that defines it."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents import slow_action_values as slow


def slow_targets(inputs, lambda_):
  """Q + sum_s gamma^(s-t) c_{t+1} ... c_s delta_s (Munos et al. 2016, equation 4)."""
  target = slow.read(inputs, inputs.lagging)
  mu = np.exp(np.asarray(inputs.trajectory.extras["policy"], np.float64))
  ratio = slow.pick(target.pi, target) / slow.pick(mu / mu.sum(axis=-1, keepdims=True), target)
  c, q = lambda_ * np.minimum(1.0, ratio), slow.pick(target.q, target)
  out = q[:-1].copy()
  for t, b in np.argwhere(target.mask[:-1]):
    factor, s = 1.0, t
    while s < len(out) and target.mask[s, b]:
      follows = target.discounts[s, b] * target.value[s + 1, b]
      out[t, b] += factor * (target.rewards[s, b] + follows - q[s, b])
      s += 1
      factor *= target.discounts[s - 1, b] * c[s, b]
  return out


@pytest.mark.parametrize(
  ("lambda_", "jitted"), [(0.0, True), (0.8, True), (1.0, True), (0.8, False)]
)
def test_it_equals_numpy(make_trajectory, lambda_, jitted):
  inputs = slow.random_inputs(make_trajectory, seed=2)
  outcome = slow.run(slow.build("soft_retrace", trace_lambda=lambda_), inputs, jitted)
  online, wanted = slow.read(inputs, inputs.q), slow_targets(inputs, lambda_)
  slow.assert_equal(outcome, *slow.squared(online, wanted), online)


def test_without_trace_it_is_one_step_soft_q(make_trajectory):
  inputs = slow.random_inputs(make_trajectory)
  retrace = slow.run(slow.build("soft_retrace", trace_lambda=0.0), inputs)
  one_step = slow.run(slow.build("soft_q", n_steps=1), inputs)
  np.testing.assert_allclose(retrace.q, one_step.q, atol=1e-6)


def test_where_the_policy_never_goes_the_trace_is_cut(make_trajectory):
  inputs = slow.random_inputs(make_trajectory)
  action = inputs.trajectory.action[..., None]
  # The lagging network, from which targets come, thinks nothing of what was done.
  lagging = jnp.put_along_axis(inputs.lagging, action, -50.0, axis=-1, inplace=False)
  outcomes = [
    slow.run(slow.build("soft_retrace", trace_lambda=x), inputs._replace(lagging=lagging)).q
    for x in (0.0, 1.0)
  ]
  np.testing.assert_allclose(*outcomes, atol=1e-6)
