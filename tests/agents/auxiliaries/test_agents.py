"""Auxiliary losses in whole agents: labels and goals, and runs that do not use them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from agents import agent as agents
from agents import auxiliaries, bonuses
from agents.latent import parts as latent_parts
from agents.latent import update
from agents.torsos import torso as torsos
from envs.observation import LABEL
from experiments.runtimes import on_device
from tests.experiments.runs_of_everything import AUXILIARIES, small, with_auxiliaries
from tests.worlds_of_trees import Labelled

WITHOUT_GOALS = ("classify", "msn", "pmsn")
"""Losses that need a label or a picture, which `goals/u_maze` has not."""


def traces(env, agent):
  """Traces a whole update, which tells all that can go wrong with shapes, without compiling."""
  runtime = on_device.build(env, agent, 1)
  carry = jax.eval_shape(runtime.init, jax.random.key(0)[None])
  after, metrics = jax.eval_shape(runtime.run, carry)
  assert jax.tree.map(lambda x: x.shape, after) == jax.tree.map(lambda x: x.shape, carry)
  return set(metrics)


def test_goal_agents_take_them_all_at_once():
  config, env = small("reach").agent, envs.make("goals/u_maze")
  chosen = {n: own for n, own in AUXILIARIES.items() if n not in WITHOUT_GOALS}
  chosen["supcon"] = chosen["supcon"] | {"labels": "reached"}
  choices = tuple(auxiliaries.registry.choice(name, **own) for name, own in chosen.items())
  config = dataclasses.replace(config, auxiliary=choices, unroll_length=8)
  agent = agents.registry.get("reach").build(config, env, agents.NOTHING_GIVEN)
  assert {f"{name}_loss" for name in chosen} <= traces(env, agent)


@pytest.mark.parametrize(
  ("name", "settings"),
  [
    ("resnet", {}),
    ("xcit", {"width": 8, "depth": 1}),
    ("resmlp", {"width": 8, "depth": 1}),
    ("patch_convnet", {"width": 8, "depth": 1}),
  ],
)
def test_submodels_of_a_residual_torso_teach_each_other_in_an_agent(name, settings):
  config = with_auxiliaries().agent
  model = dataclasses.replace(
    config.world_model, torso=torsos.registry.choice(name, stochastic_depth=0.2, **settings)
  )
  choice = auxiliaries.registry.choice("cosub", hidden=8)
  config = dataclasses.replace(config, auxiliary=(choice,), world_model=model)
  env = Labelled()
  agent = agents.registry.get("byol_explore").build(config, env, agents.NOTHING_GIVEN)
  assert "cosub_loss" in traces(env, agent)


def test_the_label_reaches_the_losses_and_no_network():
  config = dataclasses.replace(
    with_auxiliaries().agent, auxiliary=(), bonus=bonuses.registry.choice("none")
  )
  env = Labelled()
  parts = latent_parts.build(config, env)
  agent = agents.registry.get("byol_explore").build(config, env, agents.NOTHING_GIVEN)
  state = jax.jit(agent.init)(jax.random.key(0))
  _, step = env.reset(jax.random.key(1))
  lead = (config.unroll_length + 1, config.batch_size)
  observation = jax.tree.map(lambda x: jnp.broadcast_to(x, (*lead, *x.shape)), step.observation)
  other = observation | {LABEL: observation[LABEL] - 1}
  one, two = (agent.encode(state, x) for x in (observation, other))
  np.testing.assert_array_equal(one, two)
  assert update.labels(parts, observation).keys() == {LABEL}
  bare = latent_parts.build(config, envs.make("deep_sea", size=4))
  assert update.labels(bare, jnp.zeros(())) == {}


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_below_0_or_none_is_refused(weight):
  for name in auxiliaries.registry.names():
    with pytest.raises(ValueError, match=f"weight is {weight}; it must be a number of at least 0"):
      auxiliaries.registry.choice(name, weight=weight)
