"""Soft Q-learning, alone and with Munchausen's reward, against NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents import slow_action_values as slow


@pytest.mark.parametrize(("n", "jitted"), [(1, True), (3, True), (20, True), (3, False)])
def test_soft_q_equals_numpy(make_trajectory, n, jitted):
  inputs = slow.random_inputs(make_trajectory, seed=n)
  outcome = slow.run(slow.build("soft_q", n_steps=n), inputs, jitted)
  online, target = slow.read(inputs, inputs.q), slow.read(inputs, inputs.lagging)
  wanted = slow.soft_targets(target, n, target.rewards)
  slow.assert_equal(outcome, *slow.squared(online, wanted), online)


@pytest.mark.parametrize(("floor", "jitted"), [(-1.0, True), (-0.2, True), (-0.2, False)])
def test_munchausen_equals_numpy(make_trajectory, floor, jitted):
  inputs = slow.random_inputs(make_trajectory, seed=4)
  objective = slow.build("munchausen", n_steps=3, weight=0.7, floor=floor)
  outcome = slow.run(objective, inputs, jitted)
  online, target = slow.read(inputs, inputs.q), slow.read(inputs, inputs.lagging)
  scaled = target.tau * slow.pick(target.log_ratio, target)[:-1]
  assert (scaled < floor).any()
  assert (scaled > 0.0).any()
  rewards = target.rewards + 0.7 * np.maximum(scaled, floor)
  wanted = slow.soft_targets(target, 3, rewards)
  slow.assert_equal(outcome, *slow.squared(online, wanted), online)


def test_munchausen_without_weight_is_soft_q(make_trajectory):
  inputs = slow.random_inputs(make_trajectory)
  outcome = slow.run(slow.build("munchausen", weight=0.0), inputs)
  np.testing.assert_array_equal(outcome.q, slow.run(slow.build("soft_q"), inputs).q)


def test_as_the_temperature_falls_the_target_becomes_that_of_q_learning(make_trajectory):
  inputs = slow.random_inputs(make_trajectory, tau=1e-4)
  ((stream, targets),) = slow.run(slow.build("soft_q", n_steps=1), inputs).targets
  greedy = stream.reward + slow.GAMMA * inputs.trajectory.discount[1:] * inputs.lagging[1:].max(
    axis=-1
  )
  real = inputs.trajectory.mask
  np.testing.assert_allclose(jnp.where(real, targets - greedy, 0.0), 0.0, atol=2e-3)
