"""Numbers that are state: one compiled program with any of them does what each setting does."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from agents import auxiliaries
from agents.bonuses.payment import PaymentConfig
from agents.byol_explore import ByolExploreConfig, build
from agents.objectives.objective import ObjectiveConfig
from agents.soft_q import SoftQConfig
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from experiments.runtimes import on_device

ENV = envs.make("probe/memory", delay=2)
CONFIG = ByolExploreConfig(
  head_hidden=8,
  unroll_length=7,
  batch_size=4,
  world_model=WorldModelConfig(
    torso=torsos.registry.choice("linear"),
    latent_size=8,
    core_size=8,
    predictor_hidden=8,
    horizon=2,
  ),
)
KEY = jax.random.key(4)


def play(agent):
  carry = jax.jit(on_device.build(ENV, agent, 1).init)(jax.random.key(0)[None])
  carry = jax.tree.map(lambda x: x[0], carry)
  variables = agent.variables(carry.learner)
  unrolled = jax.jit(lambda carry: on_device.unroll(AutoReset(ENV), agent, variables, carry)[1])
  # Anew: the runtime's lies where its mesh puts it, which would be another program.
  return agent.init(jax.random.key(0)), unrolled(carry)


@pytest.fixture(scope="module")
def base():
  agent = build(CONFIG, ENV)
  return agent, jax.jit(agent.learn), *play(agent)


NUMBERS = {
  "learning_rate": 3e-3,
  "bonus_weight": 0.7,
  "dual_learning_rate": 0.3,
  "entropy_weight": 0.3,
  "value_weight": 0.3,
  "auxiliary.byol.weight": 0.3,
  "discount": 0.5,
}


def moved(one, other):
  """Whether any parameter differs."""
  leaves = (jax.tree.leaves(state.params) for state in (one, other))
  return any(np.any(a != b) for a, b in zip(*leaves, strict=True))


def test_turning_numbers_is_setting_them(base):
  agent, learn, state, trajectory = base
  config = dataclasses.replace(
    CONFIG,
    learning_rate=NUMBERS["learning_rate"],
    payment=PaymentConfig(bonus_weight=NUMBERS["bonus_weight"]),
    dual_learning_rate=NUMBERS["dual_learning_rate"],
    auxiliary=(auxiliaries.registry.choice("byol", weight=NUMBERS["auxiliary.byol.weight"]),),
    returns=ObjectiveConfig(
      **{name: NUMBERS[name] for name in ("entropy_weight", "value_weight", "discount")}
    ),
  )
  other = build(config, ENV)
  hyper = other.init(KEY).hyper
  own = hyper._asdict() | {f"auxiliary.{n}.weight": x for n, x in hyper.auxiliary_weights.items()}
  for name, value in NUMBERS.items():
    np.testing.assert_allclose(own[name], value, rtol=1e-6)
  expected = jax.jit(other.learn)(other.turn(state, NUMBERS), trajectory, KEY).state
  turned = learn(agent.turn(state, NUMBERS), trajectory, KEY).state
  for a, b in zip(*(jax.tree.leaves(x.params) for x in (turned, expected)), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NUMBERS)
def test_each_number_that_is_turned_changes_what_is_learned(name, base):
  agent, learn, state, trajectory = base
  same, turned = (
    learn(x, trajectory, KEY).state for x in (state, agent.turn(state, {name: NUMBERS[name]}))
  )
  assert learn._cache_size() == 1
  assert moved(same, turned)


def test_a_temperature_is_turned_in_what_acts_too():
  agent = build(dataclasses.replace(SoftQConfig(), world_model=CONFIG.world_model), ENV)
  state = agent.turn(agent.init(jax.random.key(0)), {"temperature": 0.25})
  for params in (state.params, state.behaviour):
    np.testing.assert_allclose(jnp.exp(params.duals.log_temperature), 0.25, rtol=1e-6)


def test_seeds_may_have_numbers_of_their_own(base):
  agent = base[0]
  states = jax.vmap(agent.init)(jax.random.split(jax.random.key(0), 3))
  turned = jax.vmap(agent.turn)(states, {"learning_rate": jnp.array([1.0, 2.0, 3.0])})
  np.testing.assert_array_equal(turned.hyper.learning_rate, [1.0, 2.0, 3.0])


def test_a_number_that_is_not_traced_is_refused(base):
  agent, _, state, _ = base
  with pytest.raises(
    ValueError,
    match=r"head_hidden is not traced; what is: learning_rate, dual_learning_rate, bonus",
  ):
    agent.turn(state, {"head_hidden": 3.0})
  with pytest.raises(ValueError, match="temperature is not traced"):
    agent.turn(state, {"temperature": 1.0})
