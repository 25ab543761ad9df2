"""Optimisers against slow steps, schedules against their closed form, and what both are told."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import envs
from agents.agent import Given
from agents.byol_explore import ByolExploreConfig
from agents.latent import agent as latent_agent
from agents.latent import parts as latent_parts
from agents.optimisers import optimiser as optimisers
from agents.optimisers.schedules import ScheduleConfig, factor
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig

SHARES = np.linspace(0.0, 1.0, 21)
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
ENV = envs.make("probe/memory", delay=2)


def expected(config, share):
  """One share at a time."""
  warm_up, end = config.learning_rate_warm_up, config.learning_rate_end
  if share < warm_up:
    return share / warm_up
  if config.learning_rate_schedule == "constant":
    return 1.0
  done = (share - warm_up) / (1.0 - warm_up)
  if config.learning_rate_schedule == "linear":
    return 1.0 - done * (1.0 - end)
  return end + (1.0 - end) * (1.0 + np.cos(np.pi * done)) / 2.0


@pytest.mark.parametrize("warm_up", [0.0, 0.25])
@pytest.mark.parametrize("name", ["constant", "linear", "cosine"])
def test_a_schedule_is_its_closed_form(name, warm_up):
  config = ScheduleConfig(name, warm_up, 0.1)
  found = [float(factor(config, jnp.float32(share))) for share in SHARES]
  np.testing.assert_allclose(found, [expected(config, s) for s in SHARES], atol=1e-6)


def test_a_schedule_out_of_range_is_refused():
  with pytest.raises(ValueError, match=r"learning_rate_warm_up is 1\.5"):
    ScheduleConfig(learning_rate_warm_up=1.5)


def test_a_schedule_needs_to_know_how_long_the_run_is():
  config = dataclasses.replace(CONFIG, schedule=ScheduleConfig("linear"))
  with pytest.raises(ValueError, match="learning_rate_schedule is linear"):
    latent_parts.build(config, ENV)
  assert latent_parts.build(config, ENV, Given(10)).length == 10


def step(name, params, gradient, count=3, **settings):
  """The parameters after some steps of learning rate .1 with the same gradient."""
  choice = optimisers.registry.choice(name, **settings)
  optimiser = optimisers.registry.build(choice, 0.1)
  state = optimiser.init(params)
  for _ in range(count):
    change, state = optimiser.update(gradient, state, params)
    params = optax.apply_updates(params, change)
  return params


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_adamw_decays_weights_apart_from_the_moments(decay):
  w, g, epsilon = 2.0, 0.5, 1e-7
  found = step("adamw", jnp.float32(w), jnp.float32(g), weight_decay=decay, epsilon=epsilon)
  m = v = 0.0
  for t in range(1, 4):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    w -= 0.1 * (m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + epsilon) + decay * w)
  np.testing.assert_allclose(found, w, rtol=1e-5)


def test_muon_makes_the_steps_of_a_matrix_nearly_orthogonal():
  rng = np.random.default_rng(0)
  w = jnp.zeros((6, 6))
  g = jnp.asarray(rng.normal(size=(6, 6)) @ np.diag([5, 3, 2, 1, 0.5, 0.3]), jnp.float32)
  singular = np.linalg.svd(np.asarray(step("muon", w, g, count=1)), compute_uv=False)
  assert singular.max() / singular.min() < 2.0
  assert np.linalg.cond(np.asarray(g)) > 5.0


@pytest.mark.parametrize("name", ["adam", "adamw", "cdat", "muon", "schedule_free", "sgd"])
def test_an_agent_steps_by_each(name):
  config = dataclasses.replace(CONFIG, optimiser=optimisers.registry.choice(name))
  parts = latent_parts.build(config, ENV)
  params = jax.eval_shape(latent_agent.of_parts(parts).init, jax.random.key(0)).params
  ones = jax.tree.map(lambda x: jnp.ones(x.shape, x.dtype), params)
  told = {"value": jnp.float32(0), "hvp": lambda v: v, "learning_rate": jnp.float32(0.5)}
  change, _ = parts.optimiser.update(ones, parts.optimiser.init(ones), ones, **told)
  moved = optimisers.scaled(change, latent_parts.LABELS, jnp.float32(0.5), jnp.float32(0.25))
  for part, whole in zip(jax.tree.leaves(moved.heads), jax.tree.leaves(change.heads), strict=True):
    assert np.all(np.isfinite(part))
    np.testing.assert_array_equal(part, 0.5 * whole)
  for part, whole in zip(jax.tree.leaves(moved.duals), jax.tree.leaves(change.duals), strict=True):
    np.testing.assert_array_equal(part, 0.25 * whole)


def test_an_optimiser_of_ones_own_is_told_the_loss():
  def update(updates, state, params=None, *, value, value_fn, hvp, **others):
    del params, others, value_fn, hvp
    return jax.tree.map(lambda x: -x * value, updates), state

  own = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
  chosen = optimisers.build_around(own, 1e9, {"a": "networks", "b": "duals"})
  params = {"a": jnp.ones(2), "b": jnp.ones(2)}
  told = {"value": jnp.float32(3.0), "value_fn": None, "hvp": None}
  change, _ = chosen.update(params, chosen.init(params), params, **told)
  np.testing.assert_allclose(change["a"], -3.0)
