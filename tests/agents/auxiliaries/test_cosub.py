"""cosub: against NumPy, equal submodels, and encoders without branches."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from agents import auxiliaries, bonuses
from agents.auxiliaries import cosub
from agents.auxiliaries.byol_image import between
from agents.byol_explore import ByolExploreConfig
from agents.latent import parts as latent_parts
from agents.torsos import torso as torsos
from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)


def far(a, b):
  return np.sum((slow.normal(a) - slow.normal(b)) ** 2, axis=-1)


def test_cosub_equals_numpy():
  method, params, state = slow.build("cosub", hidden=8, teach=0.3)
  inputs = slow.inputs()
  plain = inputs.encode

  def noisy(x, key):
    z = plain(x)
    return z + jax.random.normal(key, z.shape)

  inputs = inputs._replace(encode=noisy)
  latents = np.asarray(inputs.latents)
  two = latents + np.asarray(jax.random.normal(KEY, (2, *latents.shape)))
  one, other = slow.mlp(params, two)
  target = slow.ahead(inputs.encode_target(inputs.trajectory.observation), 1)
  told = (far(one, target) + far(other, target)) / 2
  weights = slow.positives(slow.firsts(), np.asarray(inputs.weights), 1)
  expected = slow.mean(0.7 * told + 0.3 * far(one, other), weights)
  loss, metrics, _ = slow.loss(method, params, state, inputs, KEY)
  np.testing.assert_allclose(loss, expected, rtol=1e-4)
  np.testing.assert_allclose(metrics["cosub_apart"], slow.mean(far(one, other), weights), rtol=1e-4)


def test_equal_submodels_have_half_the_plain_gradient():
  f, y = jax.random.normal(KEY, (2, 5, 3))
  both = jax.grad(lambda f: jnp.sum(cosub.mutual(f, f, y, 0.5)[0]))(f)
  plain = jax.grad(lambda f: jnp.sum(between(f, y)))(f)
  np.testing.assert_allclose(both, plain / 2, atol=1e-6)


def agent(torso):
  config = ByolExploreConfig(
    bonus=bonuses.registry.choice("none"), auxiliary=(auxiliaries.registry.choice("cosub"),)
  )
  model = dataclasses.replace(config.world_model, torso=torso)
  return latent_parts.build(
    dataclasses.replace(config, world_model=model), envs.make("zipf/gridworld")
  )


@pytest.mark.parametrize("name", ["resnet", "mlp"])
def test_torsos_that_leave_out_no_branches_are_refused(name):
  with pytest.raises(ValueError, match="'cosub' needs residual branches that are left out"):
    agent(torsos.registry.choice(name))


def test_a_torso_that_leaves_out_branches_is_taken():
  parts = agent(torsos.registry.choice("resnet_ws", stochastic_depth=0.1))
  assert parts.model.stochastic
  assert list(parts.auxiliaries) == ["cosub"]
