"""The policy gradient of action values, against its derivatives written out."""

import jax
import numpy as np
import pytest

from tests.agents import slow_action_values as slow
from tests.agents.slow_action_values import ACTIONS


@pytest.mark.parametrize(("n", "jitted"), [(1, True), (3, True), (20, True), (3, False)])
def test_it_equals_numpy(make_trajectory, n, jitted):
  inputs = slow.random_inputs(make_trajectory, seed=n)
  outcome = slow.run(slow.build("soft_pg", n_steps=n), inputs, jitted)
  now, target = slow.read(inputs, inputs.q), slow.read(inputs, inputs.lagging)
  wanted = slow.soft_targets(target, n, target.rewards)
  value_target = wanted - now.tau * now.kl[:-1]
  value, kl, pi = now.value[:-1], now.kl[:-1], now.pi[:-1]
  advantage = value_target - value
  log_pi = np.log(slow.pick(now.pi, now))[:-1]
  losses = now.tau * (-advantage * log_pi + now.tau * kl) + 0.5 * (value - value_target) ** 2
  # By Q: of log pi(a), (onehot(a) - pi) / tau; of KL, pi (log(pi / ref) - KL) / tau; of V, pi.
  of_log_pi = (np.eye(ACTIONS)[now.action[:-1]] - pi) / now.tau
  of_kl = pi * (now.log_ratio[:-1] - kl[..., None]) / now.tau
  gradient = np.zeros_like(now.q)
  gradient[:-1] = now.weights[..., None] * (
    now.tau * (-advantage[..., None] * of_log_pi + now.tau * of_kl)
    + (value - value_target)[..., None] * pi
  )
  gradient /= np.sum(now.weights > 0)
  error = slow.pick(now.q, now)[:-1] - wanted
  slow.assert_equal(outcome, slow.mean(now, losses), gradient, error, now)


def test_its_targets_and_priorities_are_those_of_soft_q(make_trajectory):
  inputs = slow.random_inputs(make_trajectory)
  q, pg = (slow.run(slow.build(name, n_steps=3), inputs) for name in ("soft_q", "soft_pg"))
  jax.tree.map(np.testing.assert_array_equal, q.targets, pg.targets)
  np.testing.assert_array_equal(q.loss.errors, pg.loss.errors)
