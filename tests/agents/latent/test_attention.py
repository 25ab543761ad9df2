"""What an agent tells of where its encoder looks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

import envs
from agents import bonuses
from agents.byol_explore import ByolExploreConfig, build
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig

ENV = envs.make("zipf/gridworld")


def agent(**settings):
  model = WorldModelConfig(torso=torsos.registry.choice("patch", **settings), latent_size=8)
  config = ByolExploreConfig(bonus=bonuses.registry.choice("none"), world_model=model)
  return build(config, ENV), config


def test_it_looks_at_cells_by_what_acts(quick_jit):
  looking, config = agent(pool="attention")
  own = build(dataclasses.replace(config, share_encoder=False), ENV)
  state = jax.eval_shape(own.init, jax.random.key(0))
  drawn = np.random.default_rng(0)
  state = jax.tree.map(
    lambda x: jnp.asarray(drawn.normal(size=x.shape), x.dtype) if x.dtype == jnp.float32 else x,
    state,
  )
  variables = looking.variables(state)
  seen = drawn.integers(0, 256, (2, 3, *ENV.observation_spec().shape)).astype(np.uint8)
  look = quick_jit(own.probe.attention)
  (weights,) = look(variables, seen).values()
  assert weights.shape == (2, 3, 7, 7)
  np.testing.assert_allclose(weights.sum((-1, -2)), 1.0, rtol=1e-4)
  read = variables._replace(params=variables.params._replace(world_model=()))
  np.testing.assert_array_equal(look(read, seen)[""], weights)


def test_an_encoder_without_attention_tells_nothing():
  assert agent()[0].probe.attention is None
