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
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from experiments.runtimes import on_device

ENV = envs.make("probe/memory", delay=2)
CONFIG = ByolExploreConfig(
  head_hidden=8,
  unroll_length=7,
  batch_size=4,
  world_model=WorldModelConfig(latent_size=8, core_size=8, predictor_hidden=8, horizon=2),
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


SETTINGS = {
  "learning_rate": (3e-3, {"learning_rate": 3e-3}),
  "bonus_weight": (0.7, {"payment": PaymentConfig(bonus_weight=0.7)}),
  "dual_learning_rate": (0.3, {"dual_learning_rate": 0.3}),
  "entropy_weight": (0.3, {"returns": ObjectiveConfig(entropy_weight=0.3)}),
  "value_weight": (0.3, {"returns": ObjectiveConfig(value_weight=0.3)}),
  "auxiliary.byol.weight": (0.3, {"auxiliary": (auxiliaries.registry.choice("byol", weight=0.3),)}),
  "discount": (0.5, {"returns": ObjectiveConfig(discount=0.5)}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_turning_a_number_is_setting_it(name, base):
  agent, learn, state, trajectory = base
  value, settings = SETTINGS[name]
  other = build(dataclasses.replace(CONFIG, **settings), ENV)
  expected = jax.jit(other.learn)(other.turn(state, {name: value}), trajectory, KEY).state
  hyper = other.init(KEY).hyper
  own = hyper._asdict() | {f"auxiliary.{n}.weight": x for n, x in hyper.auxiliary_weights.items()}
  np.testing.assert_allclose(own[name], value, rtol=1e-6)
  same, turned = (
    learn(x, trajectory, KEY).state for x in (state, agent.turn(state, {name: value}))
  )
  assert learn._cache_size() == 1
  leaves = [jax.tree.leaves(s.params) for s in (turned, expected, same)]
  for a, b in zip(*leaves[:2], strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
  assert any(np.any(a != b) for a, b in zip(leaves[0], leaves[2], strict=True))


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
