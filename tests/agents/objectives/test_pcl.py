"""Path consistency, Retrace and soft Q-learning: off policy, and at the optimum."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents import slow_action_values as slow
from tests.agents import tabular


def slow_loss(inputs, q, n):
  now = slow.read(inputs, q)
  paid = now.tau * slow.pick(now.log_ratio, now)
  path = slow.returns(now, now.value, n, lambda t, s, b: now.rewards[s, b] - paid[s, b])
  error = path - now.value[:-1]
  return slow.mean(now, 0.5 * error**2), error


@pytest.mark.parametrize(("n", "jitted"), [(1, True), (3, True), (20, True), (3, False)])
def test_path_consistency_equals_numpy_and_its_gradient_goes_through_the_whole_path(
  make_trajectory, n, jitted
):
  inputs = slow.random_inputs(make_trajectory, seed=n)
  outcome = slow.run(slow.build("pcl", n_steps=n), inputs, jitted)
  loss, error = slow_loss(inputs, inputs.q, n)
  gradient, step = np.zeros(inputs.q.shape), 1e-5
  for index in np.ndindex(gradient.shape):
    up, down = np.array(inputs.q, np.float64), np.array(inputs.q, np.float64)
    up[index] += step
    down[index] -= step
    gradient[index] = (slow_loss(inputs, up, n)[0] - slow_loss(inputs, down, n)[0]) / (2 * step)
  slow.assert_equal(outcome, loss, gradient, error, slow.read(inputs, inputs.q))


@functools.partial(jax.jit, static_argnums=(0, 1))
def worst(name, n, q, mdp, paths, reference):
  """The greatest error and gradient at action values [S, A], on data of a uniform policy."""
  duals = tabular.duals(0.4, reference)
  trajectory, rewards = tabular.trajectory(mdp, paths, jnp.zeros_like(q))
  objective, weights = slow.build(name, n_steps=n), trajectory.mask.astype(q.dtype)
  view = slow.view(q[trajectory.observation])
  targets = objective.prepare(
    duals, view, view, trajectory, slow.streams(trajectory, rewards), slow.KEY
  )

  def loss(q):
    view = slow.view(q[trajectory.observation])
    out = objective.loss(duals, view, trajectory, targets, weights, slow.KEY)
    return out.total, jnp.max(jnp.abs(out.errors) * weights)

  gradient, error = jax.grad(loss, has_aux=True)(q)
  return jnp.stack([error, jnp.max(jnp.abs(gradient))])


@slow.float64()
@pytest.mark.parametrize(
  ("name", "n"), [("pcl", 1), ("pcl", 3), ("soft_retrace", 1), ("soft_q", 1)]
)
def test_at_the_soft_optimum_every_path_is_without_error(name, n):
  for seed in range(3):
    mdp, reference = tabular.random_mdp(seed, deterministic=True), tabular.random_policy(seed)
    optimum = jnp.asarray(tabular.soft_optimum(mdp, 0.4, reference))
    at = functools.partial(worst, name, n, mdp=mdp, paths=tabular.all_paths(mdp, 3))
    assert jnp.all(at(optimum, reference=reference) < 1e-10)
    assert jnp.all(at(optimum.at[1, 0].add(0.1), reference=reference) > 1e-3)
    assert jnp.all(at(optimum, reference=tabular.random_policy(9)) > 1e-3)


@slow.float64()
def test_over_more_steps_soft_q_needs_actions_of_its_own_policy():
  mdp, reference = tabular.random_mdp(0, deterministic=True), tabular.random_policy(0)
  optimum, paths = tabular.soft_optimum(mdp, 0.4, reference), tabular.all_paths(mdp, 3)
  assert worst("soft_q", 3, optimum, mdp, paths, reference)[0] > 0.1
