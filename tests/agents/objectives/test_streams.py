"""Two streams of rewards: advantages and targets against slow sums, and what objectives do then."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

import envs
from agents import objectives
from agents.byol_explore import ByolExploreConfig, build
from agents.heads.policy_value import PolicyAndValue
from agents.objectives.advantages import of_stream
from agents.objectives.objective import ObjectiveConfig, View, continuing, episodic
from agents.soft_q import SoftQConfig
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from envs.environment import LAST
from experiments.runtimes import on_device

LENGTH, BATCH, GAMMA = 9, 6, 0.9


@pytest.fixture(scope="module")
def data(make_trajectory):
  rng = np.random.default_rng(0)
  trajectory = make_trajectory(rng, LENGTH, BATCH)
  values = rng.normal(size=(LENGTH + 1, BATCH)).astype(np.float32)
  mask = np.asarray(trajectory.mask)
  rewards = np.where(mask, rng.normal(size=(LENGTH, BATCH)), 0.0).astype(np.float32)
  assert not mask.all()
  return trajectory, values, rewards


def merged(step_types, values, rewards):
  """One environment without the last entries of episodes: values [N+1], rewards [N], and where
  each of the kept entries came from."""
  kept = [t for t in range(len(values)) if step_types[t] != LAST or t == len(values) - 1]
  gained = [rewards[a] for a in kept[:-1]]
  return values[kept], np.array(gained), kept


@pytest.mark.parametrize("lambda_", [0.0, 0.7, 1.0])
def test_a_continuing_stream_is_that_of_one_endless_episode(data, lambda_):
  trajectory, values, rewards = data
  found = of_stream(
    jnp.asarray(values),
    continuing(jnp.asarray(rewards), GAMMA, trajectory),
    jnp.ones((LENGTH, BATCH)),
    trajectory.mask,
    lambda_,
  )
  types = np.asarray(trajectory.step_type)
  for b in range(BATCH):
    v, r, kept = merged(types[:, b], values[:, b], rewards[:, b])
    after, expected = 0.0, np.zeros(len(r))
    for n in reversed(range(len(r))):
      after = r[n] + GAMMA * v[n + 1] - v[n] + GAMMA * lambda_ * after
      expected[n] = after
    np.testing.assert_allclose(found.target[kept[:-1], b], expected + v[:-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.advantage[kept[:-1], b], expected, rtol=1e-4, atol=1e-5)


def test_an_episodic_stream_ends_with_the_episode(data):
  trajectory, values, rewards = data
  found = of_stream(
    jnp.asarray(values),
    episodic(jnp.asarray(rewards), GAMMA, trajectory),
    jnp.ones((LENGTH, BATCH)),
    trajectory.mask,
    1.0,
  )
  types, ends = np.asarray(trajectory.step_type), np.asarray(trajectory.discount)
  for t, b in np.argwhere(types[:-1] != LAST):
    total, factor, s = 0.0, 1.0, t
    while s < LENGTH and types[s, b] != LAST:
      total, factor, s = total + factor * rewards[s, b], factor * GAMMA * ends[s + 1, b], s + 1
    np.testing.assert_allclose(
      found.target[t, b], total + factor * values[s, b], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", ["vmpo", "ppo", "vtrace"])
def test_advantages_of_two_streams_add_up_and_each_value_has_its_own_target(name, data):
  trajectory, values, rewards = data
  rng = np.random.default_rng(1)
  shared = ObjectiveConfig(value_streams="separate")
  context = objectives.Context(specs.DiscreteArray(2), shared, 8, 1)
  objective = objectives.registry.build(SETTINGS[name], context)
  p = trajectory.extras["policy"]
  weights, key = trajectory.mask.astype(jnp.float32), jax.random.key(0)
  second = jnp.asarray(rng.normal(size=values.shape), jnp.float32)
  streams = (
    episodic(jnp.asarray(rewards), GAMMA, trajectory),
    continuing(jnp.asarray(rewards[::-1].copy() * np.asarray(trajectory.mask)), 0.5, trajectory),
  )

  def loss(first, second):
    view = View((), jnp.zeros(()), PolicyAndValue(p, first, second))
    targets = objective.prepare(objective.init(), view, view, trajectory, streams, key)
    targets = jax.lax.stop_gradient(targets)
    return objective.loss(objective.init(), view, trajectory, targets, weights, key)

  out = loss(jnp.asarray(values), second)
  count = np.sum(weights)
  expected = 0.0
  for value, stream in zip((jnp.asarray(values), second), streams, strict=True):
    adv = of_stream(value, stream, jnp.ones((LENGTH, BATCH)), trajectory.mask, 0.95)
    expected += 0.5 * np.sum(np.square(adv.target - value[:-1]) * weights) / count
  np.testing.assert_allclose(out.metrics["value_loss"], expected, rtol=1e-4)
  np.testing.assert_allclose(
    out.metrics["intrinsic_value"], np.sum(second[:-1] * weights) / count, rtol=1e-4, atol=1e-6
  )


SETTINGS = {
  "vmpo": objectives.registry.choice("vmpo", advantage="gae", trace_lambda=0.95),
  "ppo": objectives.registry.choice("ppo", gae_lambda=0.95),
  "vtrace": objectives.registry.choice("vtrace", trace_lambda=0.95),
}
TINY = WorldModelConfig(latent_size=8, core_size=8, predictor_hidden=8, horizon=2)
ENV = envs.make("probe/memory", delay=2)


@pytest.mark.parametrize(
  ("name", "env", "head"),
  [
    ("vmpo", ENV, "heads/{}value"),
    ("soft_pg", ENV, "heads/{}q"),
    ("sac", envs.make("pendulum"), "{}q1/~/linear_1"),
  ],
)
def test_an_agent_learns_both_values_and_intrinsic_rewards_move_but_one(name, env, head, quick_jit):
  config = ByolExploreConfig(
    objective=objectives.registry.choice(name),
    head_hidden=8,
    unroll_length=7,
    batch_size=4,
    world_model=TINY,
    returns=ObjectiveConfig(value_streams="separate"),
  )
  agent = build(config, env)
  carry = quick_jit(on_device.build(env, agent, 1).init)(jax.random.key(0)[None])
  carry = jax.tree.map(lambda x: x[0], carry)
  variables = agent.variables(carry.learner)
  play = quick_jit(lambda carry: on_device.unroll(AutoReset(env), agent, variables, carry)[1])
  trajectory, learn = play(carry), quick_jit(agent.learn)
  heads = []
  for weight in (0.0, 1.0):
    state = agent.turn(carry.learner, {"bonus_weight": weight})
    heads.append(learn(state, trajectory, jax.random.key(1)).state.params.heads)
  moved = {name: np.any(heads[0][name]["b"] != heads[1][name]["b"]) for name in heads[0]}
  assert moved[head.format("intrinsic_")]
  assert not moved[head.format("")]


def test_path_consistency_learns_one_value():
  config = dataclasses.replace(
    SoftQConfig(),
    objective=objectives.registry.choice("pcl"),
    returns=ObjectiveConfig(value_streams="separate"),
    world_model=TINY,
  )
  with pytest.raises(ValueError, match="objective 'pcl' learns one value; give value_streams"):
    build(config, ENV)
