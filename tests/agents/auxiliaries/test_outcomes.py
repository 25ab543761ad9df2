"""outcomes and consistency: against loops written from their formulae, and learned in a world."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import auxiliaries, bonuses
from agents.auxiliaries import Inputs
from agents.byol_explore import ByolExploreConfig
from agents.latent import agent as latent_agent
from agents.latent import parts as latent_parts
from agents.latent import planning
from agents.objectives import ObjectiveConfig
from agents.trajectory import Trajectory
from agents.world_model import table
from agents.world_model.forecasts import Forecasts
from agents.world_model.world_model import WorldModelConfig
from envs.environment import FIRST, LAST, MID
from experiments.runtimes import on_device
from tests.agents.fork import GO, PAYS, STOP, Fork

LENGTH, HORIZON, BATCH, SIZE = 6, 3, 2, 5
KEY = jax.random.key(1)
QUICK = {"xla_backend_optimization_level": 0}


def inputs(seed=0):
  """Two columns: of one episode's end in the middle, and of another, whose first steps burn in."""
  rng = np.random.default_rng(seed)
  step_type = np.full((LENGTH + 1, BATCH), MID)
  step_type[2, 0], step_type[3, 0] = LAST, FIRST
  first = step_type == FIRST
  imagined = rng.normal(size=(LENGTH, HORIZON, BATCH, SIZE)).astype(np.float32)
  weights = np.ones((LENGTH + 1, BATCH), np.float32)
  weights[:2] = 0.0
  zeros = np.zeros((LENGTH + 1, BATCH), np.float32)
  trajectory = Trajectory(
    observation=zeros,
    action=zeros,
    reward=rng.normal(size=zeros.shape).astype(np.float32),
    discount=rng.choice([0.0, 0.5, 1.0], size=zeros.shape).astype(np.float32),
    step_type=step_type,
    extras=(),
    memory=(),
  )
  valid = table.valid_pairs(jnp.asarray(first), HORIZON)
  forecasts = Forecasts(zeros, jnp.asarray(imagined), zeros, valid)
  beliefs = rng.normal(size=(LENGTH + 1, BATCH, SIZE)).astype(np.float32)
  return Inputs(trajectory, zeros, beliefs, forecasts, None, None, {}, jnp.asarray(weights)), first


def slow_mean(error, weights, first):
  """The mean over starts of the mean over the steps ahead of error(p, k, b)."""
  starts = []
  for p in range(LENGTH):
    for b in range(BATCH):
      ahead = [
        error(p, k, b)
        for k in range(1, HORIZON + 1)
        if p + k <= LENGTH and not first[p + 1 : p + k + 1, b].any()
      ]
      if ahead and weights[p, b] > 0.0:
        starts.append(np.mean(ahead))
  return np.mean(starts)


def build(name, **settings):
  context = auxiliaries.Context(Fork(), SIZE, SIZE, HORIZON, LENGTH, BATCH)
  return auxiliaries.registry.build(auxiliaries.registry.choice(name, **settings), context)


@pytest.mark.parametrize("hidden", [0, 4])
def test_outcomes_equals_slow_loops(hidden):
  given, first = inputs()
  method = build("outcomes", hidden=hidden)
  params, state = method.init(KEY)
  loss, metrics, _ = method.loss(params, state, given, KEY)
  weights = {module: jax.tree.map(np.asarray, x) for module, x in params.items()}

  def head(name, belief):
    if hidden:
      layer = weights[f"{name}_hidden"]
      belief = np.maximum(belief @ layer["w"] + layer["b"], 0.0)
    return (belief @ weights[name]["w"] + weights[name]["b"])[0]

  def of_reward(p, k, b):
    said = head("reward", given.forecasts.imagined[p, k - 1, b])
    return 0.5 * (said - given.trajectory.reward[p + k, b]) ** 2

  def of_discount(p, k, b):
    share = 1.0 / (1.0 + np.exp(-head("discount", given.forecasts.imagined[p, k - 1, b])))
    target = given.trajectory.discount[p + k, b]
    return -target * np.log(share) - (1.0 - target) * np.log(1.0 - share)

  reward, discount = (slow_mean(x, given.weights, first) for x in (of_reward, of_discount))
  np.testing.assert_allclose(metrics["reward_error"], reward, rtol=1e-5)
  np.testing.assert_allclose(metrics["discount_error"], discount, rtol=1e-5)
  np.testing.assert_allclose(loss, reward + discount, rtol=1e-5)


def test_consistency_equals_slow_loops_and_leaves_its_targets_alone():
  given, first = inputs()
  method = build("consistency")

  def error(p, k, b):
    return np.mean((given.forecasts.imagined[p, k - 1, b] - given.beliefs[p + k, b]) ** 2)

  def loss(beliefs, imagined):
    changed = given._replace(beliefs=beliefs, forecasts=given.forecasts._replace(imagined=imagined))
    return method.loss((), (), changed, KEY)[0]

  arguments = given.beliefs, given.forecasts.imagined
  np.testing.assert_allclose(loss(*arguments), slow_mean(error, given.weights, first), rtol=1e-5)
  of_beliefs, of_imagined = jax.grad(loss, (0, 1))(*arguments)
  assert not np.any(of_beliefs)
  assert np.any(of_imagined)


def test_after_some_training_rewards_and_ends_are_foreseen_by_the_action():
  env = Fork()
  config = ByolExploreConfig(
    bonus=bonuses.registry.choice("none"),
    auxiliary=(auxiliaries.registry.choice("outcomes", hidden=16),),
    learning_rate=3e-3,
    head_hidden=0,
    unroll_length=8,
    batch_size=16,
    world_model=WorldModelConfig(latent_size=16, core_size=16, predictor_hidden=16, horizon=2),
    # So much entropy that both actions go on being tried.
    returns=ObjectiveConfig(discount=0.9, entropy_weight=1.0),
  )
  parts = latent_parts.build(config, env)
  agent = latent_agent.of_parts(parts)
  runtime = on_device.build(env, agent, 300)
  keys = jax.random.key(0)[None]
  carry = runtime.init.lower(keys).compile(QUICK)(keys)
  carry, _ = runtime.run.lower(carry).compile(QUICK)(carry)
  learner = jax.tree.map(lambda x: x[0], carry.learner)
  variables = agent.variables(learner._replace(behaviour=learner.params))
  model = planning.model(parts, variables)
  _, timestep = jax.vmap(env.reset)(KEY[None])
  memory = agent.act(variables, agent.initial_memory(1), timestep, KEY, True)[2]

  def foreseen(*actions):
    state = memory.core
    for action in actions:
      state = model.step(state, jnp.array([action]))
    return float(model.reward(state)[0]), float(model.discount(state)[0])

  np.testing.assert_allclose(foreseen(STOP), (PAYS[0], 0.0), atol=0.1)
  np.testing.assert_allclose(foreseen(GO), (0.0, 0.9), atol=0.1)
  np.testing.assert_allclose(foreseen(GO, STOP), (PAYS[1], 0.0), atol=0.1)


def test_outcomes_refuses_a_hidden_layer_below_0():
  settings = auxiliaries.registry.choice("outcomes").settings
  with pytest.raises(ValueError, match="hidden is -1"):
    dataclasses.replace(settings, hidden=-1)
