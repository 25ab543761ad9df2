"""Two streams of rewards with action values of their own: targets, gradients and what is done."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs
from jax.flatten_util import ravel_pytree

from agents.heads.action_values import TwoActionValues
from agents.heads.heads import Heads
from agents.objectives import Context, ObjectiveConfig, registry, sac
from agents.objectives.action_values import n_step_returns
from agents.objectives.objective import View, continuing, episodic
from envs.environment import LAST
from tests.agents import slow_action_values as slow
from tests.agents import tabular
from tests.agents.slow_action_values import ACTIONS, GAMMA, KEY
from tests.agents.tabular import STATES

OTHER_GAMMA = 0.6
TWO = ("soft_q", "soft_pg", "soft_retrace", "munchausen", "double_q")


def build(name, **settings):
  shared = ObjectiveConfig(discount=GAMMA, value_streams="separate")
  context = Context(specs.DiscreteArray(ACTIONS), shared, 8, 1)
  return registry.build(registry.choice(name, **settings), context)


def halves(seed, whole):
  """Two arrays that add up to `whole`."""
  first = jnp.asarray(np.random.default_rng(seed).normal(size=whole.shape), jnp.float32)
  return first, whole - first


def targets(objective, duals, online, target, trajectory, streams):
  """The target of each stream, [T, B]."""
  prepared = objective.prepare(
    duals, slow.view(online), slow.view(target), trajectory, streams, KEY
  )
  return [x[1] if isinstance(x, tuple) else x for x in prepared]


@pytest.mark.parametrize("name", TWO)
def test_with_one_discount_the_targets_add_up_to_those_of_the_sum(make_trajectory, name):
  inputs = slow.random_inputs(make_trajectory, seed=3)
  duals, trajectory = inputs.duals, inputs.trajectory
  one = (episodic(inputs.rewards, GAMMA, trajectory),)
  two = tuple(episodic(x, GAMMA, trajectory) for x in halves(1, inputs.rewards))
  q, lagging = (TwoActionValues(*halves(i, x)) for i, x in enumerate((inputs.q, inputs.lagging)))
  (expected,) = targets(slow.build(name), duals, inputs.q, inputs.lagging, trajectory, one)
  both = targets(build(name), duals, q, lagging, trajectory, two)
  np.testing.assert_allclose(sum(both), expected, rtol=1e-4, atol=1e-4)
  assert np.abs(both[1]).max() > 0.1
  # What regularises is of the first stream alone: the second is one of plain action values.
  free = build(name).prepare(
    duals, slow.view(q), slow.view(lagging._replace(intrinsic_q=0 * lagging.intrinsic_q)),
    trajectory, (two[0], episodic(0 * inputs.rewards, GAMMA, trajectory)), KEY,
  )  # fmt: skip
  np.testing.assert_array_equal(jax.tree.leaves(free)[-1], 0.0)


def kept_entries(types):
  """Of one environment, where the last entries of episodes are left out."""
  return [t for t in range(len(types)) if types[t] != LAST or t == len(types) - 1]


@pytest.mark.parametrize("n", [1, 3, 20])
def test_a_continuing_return_is_that_of_one_endless_episode(make_trajectory, n):
  inputs = slow.random_inputs(make_trajectory, seed=4)
  values = inputs.q[..., 0]
  stream = continuing(inputs.rewards, OTHER_GAMMA, inputs.trajectory)
  mask = inputs.trajectory.mask
  fast = n_step_returns(stream.reward, stream.discount, values, mask, n, stream.joins)
  types, v, r = map(np.asarray, (inputs.trajectory.step_type, values, inputs.rewards))
  assert (types[:-1] == LAST).any()
  for b in range(slow.BATCH):
    kept = kept_entries(types[:, b])
    for i, t in enumerate(kept[:-1]):
      end = min(i + n, len(kept) - 1)
      paid = sum(OTHER_GAMMA ** (k - i) * r[kept[k], b] for k in range(i, end))
      expected = paid + OTHER_GAMMA ** (end - i) * v[kept[end], b]
      np.testing.assert_allclose(fast[t, b], expected, rtol=1e-4, atol=1e-5)


def test_a_continuing_retrace_is_that_of_one_endless_episode(make_trajectory):
  inputs = slow.random_inputs(make_trajectory, seed=5)
  trajectory, lagging = inputs.trajectory, TwoActionValues(*halves(2, inputs.lagging))
  streams = (
    episodic(inputs.rewards, GAMMA, trajectory),
    continuing(-inputs.rewards, OTHER_GAMMA, trajectory),
  )
  objective = build("soft_retrace", trace_lambda=0.8)
  found = targets(objective, inputs.duals, lagging, lagging, trajectory, streams)[1]
  whole = slow.read(inputs, inputs.lagging)
  own = np.asarray(lagging.intrinsic_q, np.float64)
  q, value = slow.pick(own, whole), np.sum(whole.pi * own, axis=-1)
  mu = np.exp(np.asarray(trajectory.extras["policy"], np.float64))
  ratio = slow.pick(whole.pi, whole) / slow.pick(mu / mu.sum(axis=-1, keepdims=True), whole)
  c, r = 0.8 * np.minimum(1.0, ratio), -whole.rewards
  types = np.asarray(trajectory.step_type)
  for b in range(slow.BATCH):
    kept = kept_entries(types[:, b])
    after = 0.0  # what Retrace corrects the next state's value by
    for i in reversed(range(len(kept) - 1)):
      now, then = kept[i], kept[i + 1]
      expected = r[now, b] + OTHER_GAMMA * (value[then, b] + after)
      np.testing.assert_allclose(found[now, b], expected, rtol=1e-3, atol=1e-4)
      after = c[now, b] * (expected - q[now, b])


@pytest.mark.parametrize("name", TWO)
def test_each_head_gets_the_gradient_of_its_own_stream(make_trajectory, name):
  inputs = slow.random_inputs(make_trajectory, seed=6)
  trajectory, q = inputs.trajectory, TwoActionValues(*halves(3, inputs.q))
  objective = build(name)

  @jax.jit
  def gradient(intrinsic):
    streams = (
      episodic(inputs.rewards, GAMMA, trajectory),
      continuing(intrinsic, OTHER_GAMMA, trajectory),
    )
    fixed = objective.prepare(inputs.duals, slow.view(q), slow.view(q), trajectory, streams, KEY)

    def loss(q):
      out = objective.loss(inputs.duals, slow.view(q), trajectory, fixed, inputs.weights, KEY)
      return out.total, out

    return jax.grad(loss, has_aux=True)(q)

  (one, out), (other, _) = gradient(inputs.rewards), gradient(2.0 * inputs.rewards)
  np.testing.assert_array_equal(one.q, other.q)
  assert all(np.abs(x).max() > 1e-3 for x in one)
  assert np.abs(one.intrinsic_q - other.intrinsic_q).max() > 1e-3
  assert {"value", "intrinsic_value"} <= set(out.metrics)
  counts = np.asarray(inputs.weights) > 0
  assert (np.asarray(out.errors)[counts] >= 0).all()  # sizes, which do not cancel out


@slow.float64()
@pytest.mark.parametrize("n", [1, 3])
def test_on_policy_the_expected_gradients_of_soft_q_and_soft_pg_are_one(n):
  mdp, rng = tabular.random_mdp(0), np.random.default_rng(0)
  duals = tabular.duals(0.7, tabular.random_policy(0))
  tables = TwoActionValues(*jnp.asarray(rng.normal(size=(2, STATES, ACTIONS))))
  policy = jnp.exp(build("soft_q").parameters(duals, tables))
  paths = tabular.all_paths(mdp, 3)
  trajectory, rewards = tabular.trajectory(mdp, paths, jnp.log(policy))
  weights = tabular.chances(mdp, paths, policy) * trajectory.mask
  streams = (
    episodic(rewards, GAMMA, trajectory),
    episodic(jnp.square(rewards), OTHER_GAMMA, trajectory),
  )

  @functools.partial(jax.jit, static_argnums=0)
  def gradient(name):
    objective = build(name, n_steps=n)

    def at(tables):
      return slow.view(jax.tree.map(lambda x: x[trajectory.observation], tables))

    fixed = objective.prepare(duals, at(tables), at(tables), trajectory, streams, KEY)

    def loss(tables):
      return objective.loss(duals, at(tables), trajectory, fixed, weights, KEY).total

    return ravel_pytree(jax.grad(loss)(tables))[0]

  q, pg = gradient("soft_q"), gradient("soft_pg")
  assert np.linalg.norm(q) > 1e-4
  np.testing.assert_allclose(pg, q, atol=1e-10 * np.linalg.norm(q))


@pytest.mark.parametrize("name", ["soft_q", "double_q"])
def test_it_acts_by_the_sum_and_only_as_is_allowed(name):
  objective, rng = build(name), np.random.default_rng(0)
  out = TwoActionValues(*jnp.asarray(rng.normal(size=(2, 5, ACTIONS)), jnp.float32))
  legal = jnp.array([True, False, True])
  masked = objective.mask(out, legal)
  one = slow.build(name)
  duals = objective.init()
  expected = one.parameters(duals, one.mask(out.q + out.intrinsic_q, legal))
  found = objective.parameters(duals, masked)
  np.testing.assert_allclose(jnp.exp(found), jnp.exp(expected), atol=1e-6)
  np.testing.assert_array_equal(jnp.exp(found)[:, 1], 0.0)


def critics(heads, beliefs, action):
  """Those of a test: what they say stands in place of their parameters."""
  del beliefs, action
  return heads


@pytest.mark.parametrize("n", [1, 3])
def test_of_sac_the_targets_add_up_too(make_trajectory, n):
  inputs = slow.random_inputs(make_trajectory, seed=7)
  box = specs.BoundedArray((1,), np.float32, -1.0, 1.0)
  settings, context = sac.SACConfig(n_steps=n), Context(box, ObjectiveConfig(), 8, 1)
  policy, rng = sac.build(settings, context).policy, np.random.default_rng(8)
  p = jnp.asarray(rng.normal(size=(*inputs.q.shape[:-1], policy.size)), jnp.float32)
  twins = tuple(jnp.asarray(rng.normal(size=(2, *inputs.q.shape[:-1], 2)), jnp.float32))
  nets = sac.Networks(settings, policy, critics, Heads(None, None), 1)
  trajectory = inputs.trajectory

  def prepared(heads, streams):
    view = View(heads, jnp.zeros(()), p)
    return sac.prepare(nets, jnp.float32(-1.0), view, view, trajectory, streams, KEY)

  parts = halves(4, inputs.rewards)
  (expected,) = prepared((sum(twins),), (episodic(inputs.rewards, GAMMA, trajectory),))
  both = prepared(twins, tuple(episodic(x, GAMMA, trajectory) for x in parts))
  np.testing.assert_allclose(sum(both), expected, rtol=1e-4, atol=1e-4)
  np.testing.assert_array_equal(
    prepared((twins[0], 0 * twins[1]), (episodic(parts[0], GAMMA, trajectory),
      episodic(0 * parts[1], GAMMA, trajectory)))[1], 0.0,
  )  # fmt: skip
