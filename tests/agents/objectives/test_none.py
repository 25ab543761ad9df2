"""No objective: auxiliary losses alone learn, of what chance plays."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents import auxiliaries, bonuses, objectives, planners
from agents.auxiliaries import teachers
from agents.byol_explore import ByolExploreConfig
from agents.heads import policies
from agents.latent.agent import build
from agents.world_model.world_model import WorldModelConfig
from envs import make
from envs.auto_reset import AutoReset
from experiments.runtimes import on_device

ENV = make("probe/memory", delay=2)
CONFIG = ByolExploreConfig(
  objective=objectives.registry.choice("none"),
  bonus=bonuses.registry.choice("none"),
  auxiliary=(auxiliaries.registry.choice("byol"),),
  unroll_length=8,
  batch_size=64,
  world_model=WorldModelConfig(latent_size=8, core_size=8, predictor_hidden=8, horizon=2),
)
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def learned():
  """An agent, its first state, what it played, and what it learned of that."""
  agent = build(CONFIG, ENV)
  carry = jax.tree.map(lambda x: x[0], on_device.build(ENV, agent, 1).init(KEY[None]))
  variables = agent.variables(carry.learner)
  _, trajectory, _ = jax.jit(lambda c: on_device.unroll(AutoReset(ENV), agent, variables, c))(carry)
  learn = jax.jit(agent.learn)
  state = agent.init(KEY)
  return learn, state, trajectory, learn(state, trajectory, KEY)


def test_chance_plays(learned):
  _, _, trajectory, _ = learned
  assert not np.any(trajectory.extras["policy"])
  taken = np.asarray(trajectory.action)[:-1][np.asarray(trajectory.mask)]
  assert np.mean(taken) == pytest.approx(0.5, abs=0.1)


def test_the_loss_is_that_of_the_auxiliary_losses(learned):
  _, _, _, (state, metrics, _) = learned
  assert metrics["loss"] == metrics["byol_loss"] > 0
  assert not jax.tree.leaves((state.params.heads, state.params.duals))


def test_the_world_model_learns(learned):
  _, before, _, (state, _, _) = learned
  pairs = zip(*(jax.tree.leaves(s.params.world_model) for s in (before, state)), strict=True)
  assert all(np.any(a != b) for a, b in pairs)


def test_rewards_are_not_read(learned):
  learn, state, trajectory, (expected, _, _) = learned
  paid = trajectory._replace(reward=trajectory.reward + 7.0)
  found = learn(state, paid, KEY).state
  for a, b in zip(*map(jax.tree.leaves, (found.params, expected.params)), strict=True):
    np.testing.assert_array_equal(a, b)


def test_without_a_loss_to_learn_it_is_refused():
  with pytest.raises(ValueError, match="'none' trains nothing by itself: give --auxiliary byol"):
    build(dataclasses.replace(CONFIG, auxiliary=()), ENV)


def test_a_policy_to_teach_there_is_not(monkeypatch):
  kd = auxiliaries.registry.choice("kd")
  monkeypatch.setattr(teachers, "of", lambda method, context: None)
  monkeypatch.setattr(teachers, "has_policy", lambda teacher: True)
  with pytest.raises(ValueError, match="'kd' teaches a policy, and objective 'none' has none"):
    build(dataclasses.replace(CONFIG, auxiliary=(kd, *CONFIG.auxiliary)), ENV)


def test_a_policy_that_is_to_be_taught_needs_a_teacher():
  taught = objectives.registry.choice("none", taught=True)
  with pytest.raises(ValueError, match="nothing teaches one: give --auxiliary policy_kl, kd, or"):
    build(dataclasses.replace(CONFIG, objective=taught), ENV)


@pytest.mark.parametrize("acts", ["policy", "chance"])
def test_a_taught_policy_acts_or_chance_does(acts):
  objective = objectives.registry.build(
    objectives.registry.choice("none", taught=True, acts=acts),
    objectives.Context(specs.DiscreteArray(3), CONFIG.returns, 8, 1),
  )
  p = jnp.array([[1.0, 2.0, policies.IMPOSSIBLE]])
  if acts == "policy":
    assert objective.explore is None
  else:
    np.testing.assert_allclose(objective.explore(p, 0.5), [[0.0, 0.0, policies.IMPOSSIBLE]])
  heads = objective.heads.init(KEY, jnp.zeros((1, 8)))
  assert objective.heads.apply(heads, jnp.ones((2, 8))).shape == (2, 3)


def test_a_planner_has_no_values_to_read():
  planner = planners.registry.choice("lookahead")
  with pytest.raises(ValueError, match="which objective 'none' does not learn"):
    build(dataclasses.replace(CONFIG, planner=planner), ENV)
