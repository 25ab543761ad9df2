"""PPO's loss against NumPy, its gradient's identities, and the agent's epochs of minibatches."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from dm_env import specs

import envs
from agents import objectives
from agents.bonuses.payment import PaymentConfig
from agents.byol_explore import ByolExploreConfig, build
from agents.heads import policies
from agents.heads.policy_value import PolicyAndValue
from agents.objectives import Context, registry
from agents.objectives.objective import Loss, ObjectiveConfig, View, episodic
from agents.objectives.ppo import PPOConfig
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from envs.environment import LAST

LENGTH, BATCH, ACTIONS = 7, 8, 3
QUICK = {"xla_backend_optimization_level": 0}
jit = functools.partial(jax.jit, compiler_options=QUICK)
KEY = jax.random.key(0)
POLICY = policies.build(specs.DiscreteArray(ACTIONS))
CONFIG = PPOConfig(gae_lambda=0.8, clip=0.2)
SHARED = ObjectiveConfig(discount=0.9, value_weight=0.7, entropy_weight=0.2)
NO_ENTROPY = dataclasses.replace(SHARED, entropy_weight=0.0)


def case(make_trajectory, config, seed=0, on_policy=False, shared=SHARED):
  """The objective and the inputs of its loss, the policy some way from the behaviour."""
  rng = np.random.default_rng(seed)
  trajectory = make_trajectory(rng, LENGTH, BATCH, actions=ACTIONS)
  p = trajectory.extras["policy"]
  if not on_policy:
    p = p + jnp.asarray(rng.normal(scale=0.4, size=p.shape), jnp.float32)
  before, after, rewards = (
    jnp.asarray(rng.normal(scale=0.3, size=(n, BATCH)), jnp.float32)
    for n in (LENGTH + 1, LENGTH + 1, LENGTH)
  )
  context = Context(specs.DiscreteArray(ACTIONS), shared, 8, 1)
  objective = registry.get("ppo")(config, context)
  view = View((), jnp.zeros(()), PolicyAndValue(p, before))
  targets = objective.prepare(
    {}, view, view, trajectory, (episodic(rewards, shared.discount, trajectory),), KEY
  )
  return objective._replace(loss=functools.partial(of_arrays, objective.loss, shared)), (
    p,
    after,
    trajectory,
    targets,
  )


def of_arrays(loss, shared, duals, p, values, trajectory, targets):
  """(total, metrics) of a loss, given what the heads say as arrays."""
  view = View((), jnp.zeros(()), PolicyAndValue(p, values))
  weights = trajectory.mask.astype(jnp.float32)
  out = loss(duals, view, trajectory, targets, weights, KEY)
  weighted = shared.value_weight * out.value - shared.entropy_weight * out.entropy
  return out.total + weighted, out.metrics


def log_softmax(x):
  x = np.asarray(x, np.float64)
  return x - np.log(np.sum(np.exp(x), axis=-1, keepdims=True))


def slow_loss(config, p, values, trajectory, targets):
  real = np.asarray(trajectory.step_type)[:-1] != LAST
  log_pi, log_mu = log_softmax(p[:-1]), log_softmax(trajectory.extras["policy"][:-1])
  advantage, target, old = (np.asarray(x, np.float64)[real] for x in jax.tree.leaves(targets))
  if config.normalise_advantages:
    advantage = (advantage - advantage.mean()) / advantage.std()
  policy_loss = value_loss = entropy = 0.0
  for n, (t, b) in enumerate(np.argwhere(real)):
    action = int(trajectory.action[t, b])
    ratio = np.exp(log_pi[t, b, action] - log_mu[t, b, action])
    clipped = min(max(ratio, 1 - config.clip), 1 + config.clip)
    policy_loss -= min(ratio * advantage[n], clipped * advantage[n])
    value = float(values[t, b])
    error = (value - target[n]) ** 2
    if config.clip_value:
      near = old[n] + min(max(value - old[n], -config.clip), config.clip)
      error = max(error, (near - target[n]) ** 2)
    value_loss += 0.5 * error
    entropy -= np.sum(np.exp(log_pi[t, b]) * log_pi[t, b])
  parts = np.array([policy_loss, value_loss, entropy]) / real.sum()
  return parts @ [1.0, SHARED.value_weight, -SHARED.entropy_weight], parts


@pytest.mark.parametrize("flags", [{}, {"clip_value": False, "normalise_advantages": False}])
def test_the_loss_equals_numpy(make_trajectory, flags):
  config = dataclasses.replace(CONFIG, **flags)
  objective, inputs = case(make_trajectory, config)
  total, metrics = jax.jit(objective.loss)({}, *inputs)
  expected, parts = slow_loss(config, *inputs)
  np.testing.assert_allclose(total, expected, rtol=1e-4)
  found = [metrics[name] for name in ("policy_loss", "value_loss", "entropy")]
  np.testing.assert_allclose(found, parts, rtol=1e-4, atol=1e-6)
  assert 0.1 < metrics["clip_fraction"] < 0.9


def by_policy(objective, p, values, trajectory, targets):
  return np.asarray(jax.grad(lambda p: objective.loss({}, p, values, trajectory, targets)[0])(p))


def test_beyond_the_clip_the_policy_gets_no_gradient(make_trajectory):
  config = dataclasses.replace(CONFIG, normalise_advantages=False)
  objective, inputs = case(make_trajectory, config, shared=NO_ENTROPY)
  p, _, trajectory, targets = inputs
  sample, behaviour = trajectory.extras["sample"][:-1], trajectory.extras["policy"][:-1]
  ratio = np.exp(POLICY.log_prob(p[:-1], sample) - POLICY.log_prob(behaviour, sample))
  advantage, real = np.asarray(targets.advantage), np.asarray(trajectory.mask)
  beyond = np.where(advantage > 0, ratio > 1.2, ratio < 0.8)
  gradient = np.abs(by_policy(objective, *inputs)).sum(axis=-1)
  assert (beyond & real).sum() > 5
  np.testing.assert_array_equal(gradient[:-1] > 0.0, real & ~beyond)
  np.testing.assert_array_equal(gradient[-1], 0.0)


def test_on_policy_the_gradient_is_the_policy_gradient(make_trajectory):
  config = dataclasses.replace(CONFIG, normalise_advantages=False)
  objective, inputs = case(make_trajectory, config, on_policy=True, shared=NO_ENTROPY)
  p, _, trajectory, targets = inputs
  # d(-A log pi(a)) / d logits = A (pi - onehot(a)), in the mean over real steps.
  pi = np.exp(log_softmax(p[:-1]))
  expected = np.asarray(targets.advantage)[..., None] * (
    pi - np.eye(ACTIONS)[trajectory.action[:-1]]
  )
  expected *= np.asarray(trajectory.mask)[..., None] / np.asarray(trajectory.mask).sum()
  np.testing.assert_allclose(by_policy(objective, *inputs)[:-1], expected, atol=1e-6)


def test_steps_that_are_not_real_teach_nothing_and_dilute_nothing(make_trajectory):
  objective, (p, values, trajectory, targets) = case(make_trajectory, CONFIG)
  total, _ = objective.loss({}, p, values, trajectory, targets)

  def widen(x):
    return jnp.concatenate([x, 2.0 * x if x.dtype == jnp.float32 else x], axis=1)

  p, values, trajectory, targets = jax.tree.map(widen, (p, values, trajectory, targets))
  types = trajectory.step_type.at[:, BATCH:].set(LAST)
  padded = objective.loss({}, p, values, trajectory._replace(step_type=types), targets)[0]
  np.testing.assert_allclose(padded, total, rtol=1e-5)
  nothing = trajectory._replace(step_type=jnp.full_like(types, LAST))
  assert np.all(np.isfinite(by_policy(objective, p, values, nothing, targets)))


ENV = envs.make("probe/memory", delay=2)
AGENT = ByolExploreConfig(
  objective=objectives.registry.choice("ppo", epochs=3, minibatches=4),
  head_hidden=8,
  unroll_length=LENGTH,
  batch_size=BATCH,
  learning_rate=1e-3,
  world_model=WorldModelConfig(
    torso=torsos.registry.choice("linear"),
    latent_size=8,
    core_size=8,
    predictor_hidden=8,
    horizon=3,
  ),
)


@functools.cache
def learner_of(config):
  agent = build(config, ENV)
  return agent, jit(agent.init)(jax.random.key(0)), jit(agent.learn)


def chunk(agent, make_trajectory):
  rng = np.random.default_rng(1)
  memory = jax.tree.map(
    lambda x: jnp.asarray(rng.normal(size=x.shape) > 0, x.dtype), agent.initial_memory(BATCH)
  )
  return make_trajectory(rng, LENGTH, BATCH, size=2, memory=memory)


def test_a_call_takes_every_gradient_step_but_counts_as_one(make_trajectory):
  agent, state, learn = learner_of(AGENT)
  trajectory = chunk(agent, make_trajectory)
  new, metrics, _ = learn(state, trajectory, jax.random.key(0))
  assert int(optax.tree.get(new.optimiser.inner_states["networks"], "count")) == 12
  assert int(new.updates) == 1
  assert int(new.bonus.scale.updates) == 1  # the bonus's statistics see a batch once
  jax.tree.map(np.testing.assert_array_equal, new.behaviour, new.params)
  assert all(value.shape == () and np.isfinite(value) for value in metrics.values())
  assert {"byol_loss", "bonus", "bonus_mean", "clip_fraction", "kl"} <= set(metrics)


def test_the_key_shuffles_and_the_same_key_repeats_the_bits(make_trajectory):
  agent, state, learn = learner_of(AGENT)
  trajectory = chunk(agent, make_trajectory)
  one, same, other = (learn(state, trajectory, jax.random.key(n))[0].params for n in (0, 0, 1))
  jax.tree.map(np.testing.assert_array_equal, one, same)
  assert np.any(one.heads["heads/policy"]["w"] != other.heads["heads/policy"]["w"])


def test_the_bonus_reaches_the_update(make_trajectory):
  # A bug seen in public code adds it after the advantages were computed.
  policies_learned = []
  for weight in (0.0, 1.0):
    agent, state, learn = learner_of(
      dataclasses.replace(AGENT, payment=PaymentConfig(bonus_weight=weight))
    )
    new, metrics, _ = learn(state, chunk(agent, make_trajectory), jax.random.key(0))
    assert metrics["bonus"] > 0.1
    policies_learned.append(new.params.heads["heads/policy"]["w"])
  assert np.max(np.abs(policies_learned[0] - policies_learned[1])) > 1e-4


def test_the_target_encoder_moves_once_a_gradient_step(make_trajectory):
  model = dataclasses.replace(AGENT.world_model, target_decay=0.9)
  agent, state, learn = learner_of(dataclasses.replace(AGENT, learning_rate=0.0, world_model=model))
  apart = state._replace(target_encoder=jax.tree.map(lambda x: x + 1.0, state.target_encoder))
  new, *_ = learn(apart, chunk(agent, make_trajectory), jax.random.key(0))
  for module, values in new.target_encoder.items():
    for name, value in values.items():
      moved = value - state.params.world_model[module][name]
      np.testing.assert_allclose(moved, 0.9**12, rtol=1e-3)


def test_the_epochs_see_every_column_equally_often(make_trajectory, monkeypatch):
  def prepare(duals, online, target, trajectory, rewards, key):
    return trajectory.reward[1:]

  def loss(duals, online, trajectory, targets, weights, key):
    memory = trajectory.memory.core[:, 0]
    wrong = jnp.any(targets != trajectory.reward[1:]) | jnp.any(memory != targets[0])
    metrics = {"seen": jnp.sum(targets[0]), "wrong": wrong.astype(jnp.float32)}
    return Loss(jnp.sum(0.0 * online.out.policy), metrics)

  ppo = registry.get("ppo")

  def build_spy(config, context):
    return ppo(config, context)._replace(prepare=prepare, loss=loss)

  with monkeypatch.context() as patch:
    patch.setattr(objectives.registry, "get", lambda name: build_spy)
    agent = build(AGENT, ENV)
  trajectory = chunk(agent, make_trajectory)
  column = 4.0 ** jnp.arange(BATCH)  # how often each was seen can be read off their sum
  trajectory = trajectory._replace(
    reward=jnp.broadcast_to(column, trajectory.reward.shape),
    memory=trajectory.memory._replace(core=jnp.broadcast_to(column[:, None], (BATCH, 8))),
  )
  _, metrics, _ = jit(agent.learn)(agent.init(jax.random.key(0)), trajectory, jax.random.key(0))
  assert metrics["wrong"] == 0.0
  np.testing.assert_allclose(12 * metrics["seen"], 3 * jnp.sum(column), rtol=1e-6)


def test_minibatches_that_do_not_divide_the_batch_are_refused():
  with pytest.raises(ValueError, match="batch_size is 6; it must be a multiple of the 4 minibat"):
    build(dataclasses.replace(AGENT, batch_size=6), ENV)


@pytest.mark.parametrize(
  ("name", "value"),
  [("gae_lambda", -0.1), ("epochs", 0), ("minibatches", 0), ("clip", 0.0)],
)
def test_settings_that_cannot_be_are_refused(name, value):
  with pytest.raises(ValueError, match=f"{name} is {value}"):
    PPOConfig(**{name: value})


def test_a_discount_above_1_is_refused():
  with pytest.raises(ValueError, match=r"discount is 1\.1"):
    ObjectiveConfig(discount=1.1)
