"""The whole agent, trained for some seconds on each probe, arrives at the known values."""

import dataclasses

import jax
import numpy as np
import pytest

import envs
from agents import bonuses, objectives
from agents.byol_explore import ByolExploreConfig, build
from agents.cores import core as cores
from agents.objectives import ObjectiveConfig
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from envs.environment import LAST
from experiments.runtimes import on_device

# Wide enough apart that truncation's 5 and termination's 2.95 are not mistaken for one another.
GAMMA = 0.8
QUICK = {"xla_backend_optimization_level": 0}
CONFIG = ByolExploreConfig(
  bonus=bonuses.registry.choice("none"),
  learning_rate=3e-3,
  head_hidden=16,
  unroll_length=8,
  batch_size=16,
  world_model=WorldModelConfig(latent_size=16, core_size=16, predictor_hidden=16, horizon=2),
  returns=ObjectiveConfig(discount=GAMMA),
)


def learn(env, updates, config=CONFIG):
  """Trains for so many updates; returns one more trajectory, its values and episode sums."""
  agent = build(config, env)
  runtime = on_device.build(env, agent, updates)
  keys = jax.random.key(0)[None]
  carry = runtime.init.lower(keys).compile(QUICK)(keys)
  carry, _ = runtime.run.lower(carry).compile(QUICK)(carry)

  def play(carry):
    params = carry.learner.params
    variables = agent.variables(carry.learner)._replace(params=params)
    _, trajectory, metrics = on_device.unroll(AutoReset(env), agent, variables, carry)
    state = carry.learner
    return trajectory, agent.value(state, trajectory), metrics

  carry = jax.tree.map(lambda x: x[0], carry)
  return jax.jit(play, compiler_options=QUICK)(carry)


@pytest.mark.parametrize(
  ("name", "updates", "best_return"),
  [
    ("observation_action_reward", 300, 1.0),
    ("delayed_reward", 200, 1.0),
    ("memory", 300, 1.0),
    ("truncation", 200, 4.0),
    ("termination", 500, 4.0),
  ],
)
def test_the_agent_learns_the_known_values_and_the_right_actions(name, updates, best_return):
  check(name, best_return, *learn(envs.make(f"probe/{name}"), updates))


PPO = dataclasses.replace(
  CONFIG,
  objective=objectives.registry.choice("ppo", epochs=2, minibatches=2, clip_value=False),
)
MODEL = CONFIG.world_model


@pytest.mark.parametrize(
  ("name", "updates", "best_return", "core"),
  [
    ("memory", 150, 1.0, "gru"),
    ("termination", 200, 4.0, "feedforward"),
  ],
)
def test_ppo_learns_them_too(name, updates, best_return, core):
  config = dataclasses.replace(
    PPO, world_model=dataclasses.replace(MODEL, core=cores.registry.choice(core))
  )
  check(name, best_return, *learn(envs.make(f"probe/{name}"), updates, config))


def check(name, best_return, trajectory, values, episodes):
  env = envs.make(f"probe/{name}")
  playing = np.asarray(trajectory.step_type) != LAST
  for label, known in env.values(GAMMA).items():
    there = np.all(np.asarray(trajectory.observation) == known.observation, axis=-1) & playing
    assert there.any(), label
    np.testing.assert_allclose(np.mean(values[there]), known.value, atol=0.1, err_msg=label)
  mean_return = float(episodes["return_sum"] / episodes["episodes"])
  np.testing.assert_allclose(mean_return, best_return, atol=0.1)
