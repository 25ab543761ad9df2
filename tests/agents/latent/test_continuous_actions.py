"""The whole agent on a world of continuous actions, with each objective."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents import bonuses
from agents.byol_explore import ByolExploreConfig, build
from agents.heads import policies
from agents.objectives import ObjectiveConfig
from agents.sac import SACAgentConfig
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from envs.environment import Environment, restart, transition
from experiments.runtimes import on_device

QUICK = {"xla_backend_optimization_level": 0}
LOW, HIGH = np.array([-2.0, 0.0], np.float32), np.array([2.0, 1.0], np.float32)


class Aim(Environment):
  """Three steps that show a cue c of -1 or 1: reward -(a_0 - .6 c)^2 - (4 a_1 - 1)^2 for each."""

  max_episode_steps = 3

  def reset(self, key):
    cue = jax.random.rademacher(key, (1,), jnp.float32)
    return (cue, jnp.int32(0)), restart(cue)

  def step(self, state, action):
    cue, time = state
    error = jnp.stack([action[0] - 0.6 * cue[0], 4.0 * action[1] - 1.0])
    return (cue, time + 1), transition(cue, -jnp.sum(jnp.square(error)), time == 2)

  def observation_spec(self):
    return specs.BoundedArray((1,), np.float32, -1.0, 1.0)

  def action_spec(self):
    return specs.BoundedArray((2,), np.float32, LOW, HIGH)


CONFIG = ByolExploreConfig(
  bonus=bonuses.registry.choice("none"),
  learning_rate=3e-3,
  head_hidden=16,
  unroll_length=8,
  batch_size=32,
  world_model=WorldModelConfig(latent_size=16, core_size=16, predictor_hidden=16, horizon=2),
  returns=ObjectiveConfig(discount=0.0),
  dual_learning_rate=0.1,
)


def train(config, updates):
  """Trains for so many updates; returns the agent, what it plays by, and its metrics."""
  env = Aim()
  agent = build(config, env)
  runtime = on_device.build(env, agent, updates)
  keys = jax.random.key(0)[None]
  carry = runtime.init.lower(keys).compile(QUICK)(keys)
  carry, metrics = runtime.run.lower(carry).compile(QUICK)(carry)
  return agent, agent.variables(jax.tree.map(lambda x: x[0], carry.learner)), metrics


def play(agent, variables, explore):
  timestep = jax.vmap(AutoReset(Aim()).reset)(jax.random.split(jax.random.key(1), 512))[1]
  act = jax.jit(agent.act, static_argnums=4, compiler_options=QUICK)
  action, extras, _ = act(
    variables, agent.initial_memory(512), timestep, jax.random.key(2), explore
  )
  return np.asarray(timestep.observation[:, 0]), np.asarray(action), extras


def loss_of_play(agent, variables):
  """The mean of -reward in the policy's mode; 2.9 where actions are uniform."""
  cue, action = play(agent, variables, False)[:2]
  error = np.stack([action[:, 0] - 0.6 * cue, 4.0 * action[:, 1] - 1.0])
  return np.mean(np.sum(np.square(error), axis=0))


def test_the_agent_finds_the_best_action_of_each_cue():
  agent, variables, metrics = train(CONFIG, 300)
  assert loss_of_play(agent, variables) < 0.1
  assert metrics["kl_mean"] > 0.0


def test_actions_stay_within_their_bounds_and_samples_need_not():
  agent = build(CONFIG, Aim())
  variables = agent.variables(agent.init(jax.random.key(0)))
  _, action, extras = play(agent, variables, True)
  assert action.shape == (512, 2)
  assert action.dtype == np.float32
  assert np.all((action >= LOW) & (action <= HIGH))
  assert np.any(action == LOW)
  assert np.any(np.abs(extras["sample"]) > 1.0)


def test_learning_sees_the_policy_that_acting_used():
  """Beliefs are made of the actions given to the environment, in acting and in learning."""
  env = Aim()
  agent = build(CONFIG, env)
  keys = jax.random.key(0)[None]
  carry = on_device.build(env, agent, 1).init.lower(keys).compile(QUICK)(keys)
  carry = jax.tree.map(lambda x: x[0], carry)
  play = jax.jit(
    lambda c: on_device.unroll(AutoReset(env), agent, agent.variables(c.learner), c),
    compiler_options=QUICK,
  )
  for _ in range(2):
    carry, trajectory, _ = play(carry)
  learn = jax.jit(agent.learn, compiler_options=QUICK)
  _, metrics, _ = learn(carry.learner, trajectory, jax.random.key(1))
  # The parameters have not changed since, so behaviour and policy are one.
  np.testing.assert_allclose([metrics["kl_mean"], metrics["kl_covariance"]], 0.0, atol=1e-6)
  changed = trajectory._replace(action=-trajectory.action)
  assert learn(carry.learner, changed, jax.random.key(1))[1]["kl_mean"] > 1e-6


def test_soft_actor_critic_finds_them_from_its_replay_and_keeps_its_entropy_at_the_target():
  config = dataclasses.replace(
    SACAgentConfig(),
    learning_rate=1e-2,
    dual_learning_rate=1e-2,
    head_hidden=64,
    unroll_length=4,
    batch_size=16,
    returns=ObjectiveConfig(discount=0.0),
    replay=dataclasses.replace(SACAgentConfig().replay, replay_capacity=800, samples_per_insert=2),
  )
  agent, variables, _ = train(config, 600)
  assert loss_of_play(agent, variables) < 0.1
  p = play(agent, variables, True)[2]["policy"]
  entropy = policies.squashed_gaussian(Aim().action_spec()).entropy(p)
  np.testing.assert_allclose(np.mean(entropy), -2.0, atol=0.3)
