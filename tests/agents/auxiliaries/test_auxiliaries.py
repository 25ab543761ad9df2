"""Auxiliary losses: byol as a reading of the table, and any number of others beside it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from agents import auxiliaries, bonuses, objectives
from agents.auxiliaries import Auxiliary, byol
from agents.byol_explore import ByolExploreConfig
from agents.latent import agent as latent_agent
from agents.latent import parts as latent_parts
from agents.latent.parts import Weighted
from agents.torsos import torso as torsos
from agents.world_model import table
from agents.world_model.forecasts import Forecasts
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from experiments.runtimes import on_device

ENV = envs.make("probe/memory", delay=2)
CONFIG = ByolExploreConfig(
  head_hidden=8,
  unroll_length=5,
  batch_size=4,
  world_model=WorldModelConfig(
    torso=torsos.registry.choice("linear"),
    latent_size=8,
    core_size=8,
    predictor_hidden=8,
    horizon=2,
  ),
)
KEY = jax.random.key(3)


def scale_to_one(decay=0.5):
  """A user's own: a linear reading of the latents that is to be 1, and its own moving average."""

  def init(key):
    return {"w": jax.random.normal(key, (8,))}, {"slow": jnp.zeros((8,)), "shares": jnp.zeros(())}

  def loss(params, state, inputs, key):
    noise = jax.random.normal(key, inputs.weights.shape)
    reading = inputs.encode(inputs.trajectory.observation) @ params["w"] + 0.0 * noise
    error = jnp.sum(jnp.square(reading - 1.0) * inputs.weights) / jnp.sum(inputs.weights)
    return error, {"noise": jnp.mean(noise)}, state

  def follow(params, state, share):
    slow = decay * state["slow"] + (1.0 - decay) * params["w"]
    return {"slow": slow, "shares": state["shares"] + share}

  return Auxiliary(init, loss, follow)


def parts_with(weight, config=CONFIG, **changes):
  parts = latent_parts.build(config, ENV)
  return parts._replace(
    auxiliaries=parts.auxiliaries | {"own": Weighted(scale_to_one(), weight)}, **changes
  )


def play(agent):
  """A learner state, and a trajectory that was played with it."""
  carry = jax.jit(on_device.build(ENV, agent, 1).init)(jax.random.key(0)[None])
  carry = jax.tree.map(lambda x: x[0], carry)
  variables = agent.variables(carry.learner)
  _, trajectory, _ = jax.jit(
    lambda carry: on_device.unroll(AutoReset(ENV), agent, variables, carry)
  )(carry)
  return carry.learner, trajectory


@pytest.fixture(scope="module")
def learned():
  """Of weight 0.5: the state before, the state after an update of 10, and its metrics; the
  trajectory; and what an update of weight 0 does."""
  agent = latent_agent.of_parts(parts_with(0.5, length=10))
  before, trajectory = play(agent)
  before = before._replace(updates=jnp.int32(5))
  learn = jax.jit(agent.learn)
  after, metrics, _ = learn(before, trajectory, KEY)
  plain = learn(agent.turn(before, {"auxiliary.own.weight": 0.0}), trajectory, KEY)
  return before, after, metrics, trajectory, plain


def test_losses_add_up_by_their_weights(learned):
  _, _, metrics, _, plain = learned
  without = plain.metrics
  np.testing.assert_allclose(metrics["own_loss"], without["own_loss"], rtol=1e-6)
  assert metrics["own_loss"] > 0.1
  np.testing.assert_allclose(
    metrics["loss"] - without["loss"], 0.5 * metrics["own_loss"], rtol=1e-4, atol=1e-5
  )
  assert {"byol_loss", "noise"} <= set(metrics)


def test_its_gradient_reaches_its_own_parameters_and_the_encoder(learned):
  before, after, _, trajectory, plain = learned
  w = [state.params.auxiliaries["own"]["w"] for state in (before, after, plain.state)]
  assert np.any(w[1] != w[0])
  np.testing.assert_array_equal(w[2], w[0])
  agent = latent_agent.of_parts(parts_with(0.5))
  gradient = jax.jit(agent.probe.gradient)
  gradients = [
    gradient(agent.turn(before, {"auxiliary.own.weight": weight}), trajectory, KEY)
    for weight in (0.5, 0.0)
  ]
  one, other = (jax.tree.leaves(g.world_model) for g in gradients)
  assert any(np.any(a != b) for a, b in zip(one, other, strict=True))


def test_what_follows_comes_after_the_step_and_knows_the_share_of_the_run(learned):
  before, after, *_ = learned
  state, params = after.auxiliaries["own"], after.params.auxiliaries["own"]
  np.testing.assert_allclose(state["slow"], 0.5 * params["w"], rtol=1e-6)
  assert float(before.auxiliaries["own"]["shares"]) == 0.0
  np.testing.assert_allclose(state["shares"], 0.5)


def test_minibatches_follow_every_step():
  config = dataclasses.replace(CONFIG, objective=objectives.registry.choice("ppo"))
  agent = latent_agent.of_parts(parts_with(0.5, config, length=10))
  before, trajectory = play(agent)
  before = before._replace(updates=jnp.int32(10))
  steps = jax.jit(agent.learn)(before, trajectory, KEY).state.auxiliaries["own"]["shares"]
  objective = parts_with(0.5, config).objective
  np.testing.assert_allclose(steps, objective.epochs * objective.minibatches)


def test_a_bonus_brings_what_it_needs():
  chosen = latent_parts.build(CONFIG, ENV).auxiliaries
  assert list(chosen) == ["byol"]
  assert chosen["byol"].weight == 1.0
  config = dataclasses.replace(CONFIG, bonus=bonuses.registry.choice("none"))
  parts = latent_parts.build(config, ENV)
  assert not parts.auxiliaries
  assert not parts.with_forecasts


def test_byol_is_the_mean_over_starts_of_the_mean_over_steps_ahead():
  rng = np.random.default_rng(0)
  errors = rng.uniform(size=(5, 3, 4)).astype(np.float32)
  first = rng.uniform(size=(6, 4)) < 0.3
  valid = np.asarray(table.valid_pairs(jnp.asarray(first), 3))
  weights = np.ones((6, 4), np.float32)
  weights[:2] = 0.0
  starts = [
    errors[p, :, b][valid[p, :, b]].mean()
    for p in range(2, 5)
    for b in range(4)
    if valid[p, :, b].any()
  ]
  forecasts = Forecasts(jnp.zeros(()), jnp.zeros(()), jnp.asarray(errors), jnp.asarray(valid))
  loss = byol.of_forecasts(forecasts, jnp.asarray(weights))
  np.testing.assert_allclose(loss, np.mean(starts), rtol=1e-6)


def test_it_is_found_by_its_name():
  assert auxiliaries.registry.get("byol")(None, None).reads_forecasts


def test_a_chosen_one_has_its_weight_also_where_the_bonus_needs_it():
  config = dataclasses.replace(CONFIG, auxiliary=(auxiliaries.registry.choice("byol", weight=0.3),))
  assert latent_parts.build(config, ENV).auxiliaries["byol"].weight == 0.3
