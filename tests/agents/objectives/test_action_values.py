"""What the objectives over action values share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs
from hypothesis import given
from hypothesis import strategies as st

from agents.objectives import Context, ObjectiveConfig, registry
from agents.objectives.action_values import Duals, n_step_returns, soft
from envs.environment import FIRST, LAST
from tests.agents import slow_action_values as slow
from tests.agents.slow_action_values import ACTIONS, NAMES, SOFT


@slow.float64()
@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("tau", [0.05, 0.7, 20.0])
def test_a_network_is_read_by_the_definitions(tau, jitted):
  rng = np.random.default_rng(0)
  q, reference = rng.normal(size=(50, ACTIONS)), rng.dirichlet(np.ones(ACTIONS))
  out = (jax.jit(soft) if jitted else soft)(q, tau, np.log(reference))
  total = np.sum(reference * np.exp(q / tau), axis=-1)
  pi = reference * np.exp(q / tau) / total[:, None]
  np.testing.assert_allclose(out.value, tau * np.log(total), rtol=1e-9, atol=1e-9)
  np.testing.assert_allclose(np.exp(out.log_policy), pi, rtol=1e-9)
  np.testing.assert_allclose(out.kl, np.sum(pi * np.log(pi / reference), axis=-1), atol=1e-9)
  by_q = jax.vmap(jax.grad(lambda q: soft(q, tau, np.log(reference)).value))(jnp.asarray(q))
  np.testing.assert_allclose(by_q, pi, rtol=1e-9)


@slow.float64()
def test_the_variational_gap_is_tau_kl_and_obeys_pinsker():
  rng = np.random.default_rng(1)
  shape = (2000, 5)
  q, reference = 3.0 * rng.normal(size=shape), rng.dirichlet(np.ones(5), 2000)
  p, tau = rng.dirichlet(np.full(5, 0.3), 2000) + 1e-12, rng.uniform(0.1, 5.0, 2000)
  p /= p.sum(axis=-1, keepdims=True)
  out = jax.vmap(soft)(q, tau, np.log(reference))
  pi = np.exp(np.asarray(out.log_policy))

  def gap(p):
    kl = np.sum(p * np.log(p / reference), axis=-1)
    return np.asarray(out.value) - (np.sum(p * q, axis=-1) - tau * kl)

  np.testing.assert_allclose(gap(p), tau * np.sum(p * np.log(p / pi), axis=-1), atol=1e-10)
  assert np.all(gap(p) >= tau / 2 * np.sum(np.abs(p - pi), axis=-1) ** 2)
  np.testing.assert_allclose(gap(pi), 0.0, atol=1e-10)


def test_readings_are_finite_at_a_small_temperature_and_large_values():
  q = jnp.asarray([[1e4, -1e4, 0.0], [0.0, 0.0, 0.0]])
  log_reference = jnp.log(jnp.full(3, 1 / 3))
  out = soft(q, 1e-3, log_reference)
  assert all(np.all(np.isfinite(x)) for x in out)
  np.testing.assert_allclose(out.value, [1e4, 0.0], atol=2e-3)
  gradient = jax.grad(lambda q: jnp.sum(soft(q, 1e-3, log_reference).kl))(q)
  assert np.all(np.isfinite(gradient))


@given(st.integers(0, 2**16), st.integers(1, 12))
def test_n_step_returns_end_with_trajectory_and_episode(make_step_types, seed, n):
  rng = np.random.default_rng(seed)
  types = make_step_types(rng, 8, 4)
  real, values = types[:-1] != LAST, rng.normal(size=(9, 4))
  rewards = rng.normal(size=(8, 4))
  discounts = 0.9 * rng.integers(0, 2, (8, 4))
  fast = n_step_returns(*map(jnp.float32, (rewards, discounts, values)), real, n)
  for t, b in np.ndindex(8, 4):
    total, factor, s = 0.0, 1.0, t
    while s < min(t + n, 8) and types[s, b] != LAST:
      total, factor, s = total + factor * rewards[s, b], factor * discounts[s, b], s + 1
    np.testing.assert_allclose(fast[t, b], total + factor * values[s, b], atol=1e-5)


def test_a_termination_is_worth_nothing_and_a_truncation_what_follows():
  rewards, values = jnp.ones((2, 2)), jnp.full((3, 2), 10.0)
  discounts, real = jnp.asarray([[0.0, 0.5], [0.5, 0.5]]), jnp.asarray([[True] * 2, [False] * 2])
  returns = n_step_returns(rewards, discounts, values, real, 5)
  np.testing.assert_allclose(returns[0], [1.0, 1.0 + 0.5 * 10.0])


@pytest.mark.parametrize("name", NAMES)
def test_steps_that_are_not_real_teach_nothing(make_trajectory, name):
  inputs = slow.random_inputs(make_trajectory, seed=5)
  # However they are paid, and whatever was done there.
  over = ~inputs.trajectory.mask
  assert over[2:].any()
  beyond = jnp.concatenate([over, jnp.zeros((1, slow.BATCH), bool)])
  trajectory = inputs.trajectory._replace(
    action=jnp.where(beyond, (inputs.trajectory.action + 1) % ACTIONS, inputs.trajectory.action),
    discount=jnp.where(inputs.trajectory.step_type == FIRST, 0.3, inputs.trajectory.discount),
  )
  changed = inputs._replace(trajectory=trajectory, rewards=jnp.where(over, 1e3, inputs.rewards))
  objective = slow.build(name, **({} if name == "pqn" else {"n_steps": 3}))
  run = jax.jit(lambda inputs: slow.run(objective, inputs))
  before, after = run(inputs), run(changed)
  np.testing.assert_allclose(before.loss.total, after.loss.total, rtol=1e-6)
  np.testing.assert_allclose(before.q, after.q, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_weights_scale_the_loss_and_not_what_is_logged(make_trajectory, name):
  inputs = slow.random_inputs(make_trajectory)
  run = jax.jit(lambda inputs: slow.run(slow.build(name), inputs))
  one, tenth = run(inputs), run(inputs._replace(weights=0.1 * inputs.weights))
  none = run(inputs._replace(weights=0.0 * inputs.weights))
  np.testing.assert_allclose(tenth.loss.total, 0.1 * one.loss.total, rtol=1e-5)
  np.testing.assert_allclose(tenth.q, 0.1 * one.q, atol=1e-7)
  for metric, value in one.loss.metrics.items():
    np.testing.assert_allclose(tenth.loss.metrics[metric], value, rtol=1e-5)
  # A batch of burn-in alone is no reason for a NaN.
  np.testing.assert_array_equal(none.loss.total, 0.0)
  np.testing.assert_array_equal(none.q, 0.0)


def test_what_is_logged_is_of_the_steps_that_count(make_trajectory):
  inputs = slow.random_inputs(make_trajectory)
  metrics = slow.run(slow.build("soft_q"), inputs).loss.metrics
  now = slow.read(inputs, inputs.q)
  counts = now.weights > 0
  entropy = -np.sum(now.pi * np.log(now.pi), axis=-1)
  expected = {"entropy": entropy, "kl_reference": now.kl, "value": now.value}
  for name, x in expected.items():
    np.testing.assert_allclose(metrics[name], x[:-1][counts].mean(), rtol=1e-4)
  np.testing.assert_allclose(metrics["tau"], 0.5, rtol=1e-6)


@pytest.mark.parametrize("name", SOFT)
def test_a_fixed_temperature_and_reference_get_no_gradient(make_trajectory, name):
  outcome = slow.run(slow.build(name), slow.random_inputs(make_trajectory))
  for gradient in outcome.duals:
    np.testing.assert_array_equal(gradient, 0.0)


def test_a_tuned_temperature_brings_the_entropy_to_its_target(make_trajectory):
  # Small importance weights slow this down but leave the target where it is.
  for start, target in ((0.02, 0.8), (5.0, 0.4)):
    objective = slow.build("soft_q", entropy_target=target)
    inputs = slow.random_inputs(make_trajectory, tau=start)

    @jax.jit
    def descend(inputs, objective=objective):
      def step(duals, _):
        outcome = slow.run(objective, inputs._replace(duals=duals))
        new = duals._replace(
          log_temperature=duals.log_temperature - 0.5 * outcome.duals.log_temperature
        )
        return new, (outcome.loss.metrics["entropy"], new.log_temperature)

      return jax.lax.scan(step, inputs.duals, length=300)[1]

    flat = inputs.duals._replace(reference=jnp.zeros(ACTIONS))
    weights = jnp.where(inputs.weights > 0, 0.3, 0.0)
    entropy, log_temperature = descend(inputs._replace(duals=flat, weights=weights))
    wanted = target * np.log(ACTIONS)
    assert np.sign(log_temperature[0] - np.log(start)) == np.sign(wanted - entropy[0])
    np.testing.assert_allclose(entropy[-1], wanted, rtol=0.02)


def test_a_moving_reference_goes_to_the_mean_policy(make_trajectory):
  objective = slow.build("soft_q", reference="average")
  inputs = slow.random_inputs(make_trajectory)
  now = slow.read(inputs, inputs.q)
  weighted = np.einsum("tb,tba->a", now.weights, now.pi[:-1]) / np.sum(now.weights > 0)
  reference = np.asarray(jax.nn.softmax(inputs.duals.reference))
  # Of a cross-entropy; where it is 0 the reference is the weighted mean of the policies.
  expected = weighted.sum() * reference - weighted
  np.testing.assert_allclose(slow.run(objective, inputs).duals.reference, expected, atol=1e-6)
  fixed = slow.run(slow.build("soft_q"), inputs)
  np.testing.assert_array_equal(slow.run(objective, inputs).q, fixed.q)


def test_the_duals_start_at_the_temperature_and_a_uniform_reference():
  duals = slow.build("soft_q", temperature=0.2).init()
  assert isinstance(duals, Duals)
  np.testing.assert_allclose(jnp.exp(duals.log_temperature), 0.2, rtol=1e-6)
  np.testing.assert_array_equal(duals.reference, np.zeros(ACTIONS))


def test_it_acts_by_the_policy_that_it_reads(make_trajectory):
  inputs = slow.random_inputs(make_trajectory)
  p = slow.build("soft_q").parameters(inputs.duals, inputs.q)
  np.testing.assert_allclose(jnp.exp(p), slow.read(inputs, inputs.q).pi, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_continuous_actions_are_refused(name):
  context = Context(specs.BoundedArray((2,), np.float32, -1, 1), ObjectiveConfig(), 8, 1)
  with pytest.raises(ValueError, match="discrete actions"):
    registry.build(registry.choice(name), context)


@pytest.mark.parametrize(
  ("name", "settings", "message"),
  [
    ("soft_q", {"temperature": 0.0}, "temperature is 0.0"),
    ("soft_q", {"n_steps": 0}, "n_steps is 0"),
    ("soft_q", {"entropy_target": 1.5}, "entropy_target is 1.5"),
    ("soft_q", {"target_decay": -0.1}, "target_decay"),
    ("soft_retrace", {"trace_lambda": 2.0}, "trace_lambda"),
    ("soft_retrace", {"temperature": 0.0}, "temperature"),
    ("double_q", {"epsilon": -1.0}, "epsilon"),
    ("double_q", {"n_steps": 0}, "n_steps is 0"),
  ],
)
def test_settings_that_cannot_be_are_refused(name, settings, message):
  with pytest.raises(ValueError, match=message):
    registry.choice(name, **settings)
