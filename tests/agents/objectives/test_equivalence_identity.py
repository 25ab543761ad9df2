"""Soft Q-learning's and the policy gradient's exact expected gradients in random tabular MDPs.

All paths of a small MDP, weighted by their chance, make the expectation; a small network makes
Q, so that no two states or actions have parameters of their own.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from tests.agents import slow_action_values as slow
from tests.agents import tabular
from tests.agents.slow_action_values import ACTIONS
from tests.agents.tabular import STATES

LENGTH, FEATURES, HIDDEN = 3, 3, 5
SEEDS = range(4)


def random_network(seed):
  """The two layers of a network of action values."""
  rng = np.random.default_rng(seed)
  shapes = (FEATURES, HIDDEN), (HIDDEN, ACTIONS)
  return tuple(jnp.asarray(rng.normal(size=shape)) for shape in shapes)


def action_values(params):
  """[S, A], from features of the states that do not learn."""
  features = np.random.default_rng(7).normal(size=(STATES, FEATURES))
  return jnp.tanh(features @ params[0]) @ params[1]


def policy(params, duals):
  """[S, A], that which the objectives act by."""
  return jnp.exp(slow.build("soft_q").parameters(duals, action_values(params)))


def flat_gradient(name, n, params, lagging, duals, trajectory, rewards, weights):
  """Of the sum over all steps of the weighted loss, the targets held fixed."""
  objective, states = slow.build(name, n_steps=n), trajectory.observation
  online, target = (slow.view(action_values(p)[states]) for p in (params, lagging))
  fixed = objective.prepare(
    duals, online, target, trajectory, slow.streams(trajectory, rewards), slow.KEY
  )

  def loss(params):
    seen = slow.view(action_values(params)[states])
    mean = objective.loss(duals, seen, trajectory, fixed, weights, slow.KEY).total
    return mean * jnp.sum(weights > 0)

  return ravel_pytree(jax.grad(loss)(params))[0]


@functools.partial(jax.jit, static_argnums=0)
def gradients(n, params, lagging, behaviour, duals, pg_duals, mdp, paths):
  """Those of soft_q and soft_pg in expectation, on data of the policy `behaviour` [S, A]."""
  trajectory, rewards = tabular.trajectory(mdp, paths, jnp.log(behaviour))
  weights = tabular.chances(mdp, paths, behaviour) * trajectory.mask
  return (
    flat_gradient("soft_q", n, params, lagging, duals, trajectory, rewards, weights),
    flat_gradient("soft_pg", n, params, lagging, pg_duals, trajectory, rewards, weights),
  )


def relative_difference(pair):
  q, pg = pair
  return float(jnp.linalg.norm(q - pg) / jnp.linalg.norm(q))


def world(seed):
  """An MDP with its paths, a network and duals, all random."""
  mdp, rng = tabular.random_mdp(seed), np.random.default_rng(seed)
  duals = tabular.duals(rng.uniform(0.1, 2.0), tabular.random_policy(seed))
  return mdp, tabular.all_paths(mdp, LENGTH), random_network(seed), duals


@slow.float64()
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("lag", [False, True], ids=["newest", "lagging"])
def test_on_policy_the_expected_gradients_are_one(n, lag):
  for seed in SEEDS:
    mdp, paths, params, duals = world(seed)
    lagging = random_network(100 + seed) if lag else params
    pair = gradients(n, params, lagging, policy(params, duals), duals, duals, mdp, paths)
    assert jnp.linalg.norm(pair[0]) > 1e-3
    assert relative_difference(pair) < 1e-9


@slow.float64()
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_off_policy_they_part_the_more_the_further_off(n, seed):
  mdp, paths, params, duals = world(seed)
  pi, other = policy(params, duals), tabular.random_policy(50 + seed, STATES)
  none, little, much = (
    relative_difference(
      gradients(n, params, params, (1 - share) * pi + share * other, duals, duals, mdp, paths)
    )
    for share in (0.0, 0.1, 0.5)
  )
  assert none < 1e-9
  assert 0.03 < little < 0.5
  assert much > max(0.15, little)


@slow.float64()
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_with_mismatched_temperatures_they_part_the_more_the_further(n, seed):
  mdp, paths, params, duals = world(seed)

  def parted(factor):
    other = duals._replace(log_temperature=duals.log_temperature + jnp.log(factor))
    behaviour = policy(params, duals)
    return relative_difference(gradients(n, params, params, behaviour, duals, other, mdp, paths))

  assert parted(1.0) < 1e-9
  assert parted(1.1) > 2e-3
  assert parted(2.0) > max(2e-2, parted(1.1))


@slow.float64()
def test_descent_by_either_goes_the_same_way():
  mdp, paths, start, duals = world(0)
  start, unravel = ravel_pytree(start)

  @jax.jit
  def descend(share):
    def step(params, _):
      now = unravel(params)
      q, pg = gradients(3, now, now, policy(now, duals), duals, duals, mdp, paths)
      return params - 0.1 * (share * q + (1.0 - share) * pg), None

    return jax.lax.scan(step, start, length=50)[0]

  assert jnp.linalg.norm(descend(1.0) - start) > 1.0
  np.testing.assert_allclose(descend(1.0), descend(0.0), rtol=1e-9)


@slow.float64()
def test_one_minus_the_cosine_of_samples_falls_as_one_over_the_batch():
  mdp, paths, params, duals = world(1)
  pi = policy(params, duals)
  trajectory, rewards = tabular.trajectory(mdp, paths, jnp.log(pi))

  def of_paths(name):
    def of_path(trajectory, rewards):
      column = jax.tree.map(lambda x: x[:, None], (trajectory, rewards))
      weights = jnp.float64(column[0].mask)
      return flat_gradient(name, LENGTH, params, params, duals, *column, weights)

    return np.asarray(jax.jit(jax.vmap(of_path, in_axes=1))(trajectory, rewards))

  chance = np.asarray(tabular.chances(mdp, paths, pi))
  q, pg = of_paths("soft_q"), of_paths("soft_pg")
  np.testing.assert_allclose(chance @ q, chance @ pg, rtol=1e-9)
  batches = 2 ** np.arange(8, 15)
  rng, parted = np.random.default_rng(0), []
  for batch in batches:
    drawn = rng.multinomial(batch, chance / chance.sum(), size=400)
    x, y = drawn @ q, drawn @ pg
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    parted.append(np.mean(1.0 - np.sum(x * y, axis=1) / norms))
  slope = np.polyfit(np.log(batches), np.log(parted), 1)[0]
  assert -1.2 < slope < -0.8
