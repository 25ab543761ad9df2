"""bfloat16: products alone are computed in it; what is learned and kept stays float32."""

import dataclasses
import math

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents import auxiliaries, bonuses, objectives
from agents.byol_explore import ByolExploreConfig, build
from agents.cores import core as cores
from agents.precision import lowered
from agents.torsos import torso as torsos
from agents.torsos.convolution import Conv2D
from agents.world_model import world_model
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from experiments.runs import experiment
from experiments.runtimes import on_device
from tests.agents.fork import Fork
from tests.experiments.runs_of_everything import UPDATES, small

KEY = jax.random.key(2)
CORES = ("feedforward", "gru", "lstm")
ENV = Fork()


def config(core, compute):
  return ByolExploreConfig(
    auxiliary=(auxiliaries.registry.choice("outcomes"),),
    objective=objectives.registry.choice("vtrace"),
    head_hidden=8,
    unroll_length=6,
    batch_size=16,
    compute=compute,
    world_model=WorldModelConfig(
      torso=torsos.registry.choice("linear"),
      core=cores.registry.choice(core),
      latent_size=16,
      core_size=16,
      predictor_hidden=16,
      horizon=3,
    ),
  )


def apart(a, b):
  """How far two trees are from one another, as a share of the first."""
  a, b = (np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)]) for tree in (a, b))
  return np.linalg.norm(a - b) / np.linalg.norm(a)


def dtypes(tree):
  return [x.dtype for x in jax.tree.leaves(tree)]


def quick(function):
  return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


@pytest.mark.parametrize("core", CORES)
def test_outputs_and_gradients_are_near_and_what_is_kept_is_float32(core):
  full, low = (build(config(core, compute), ENV) for compute in ("float32", "bfloat16"))

  def played(key):
    carry = on_device.build(ENV, full, 1).init(key[None])
    carry = jax.tree.map(lambda x: x[0], carry)
    variables = full.variables(carry.learner)
    return carry.learner, on_device.unroll(AutoReset(ENV), full, variables, carry)[1]

  def asked(agent):
    probe = agent.probe
    return quick(
      lambda state, steps: (
        probe.beliefs(state, steps),
        probe.heads(state, steps),
        probe.gradient(state, steps, KEY),
      )
    )(state, trajectory)

  state, trajectory = quick(played)(jax.random.key(0))
  one, other = asked(full), asked(low)
  for a, b, most in zip(one, other, (0.02, 0.02, 0.05), strict=True):
    assert 1e-5 < apart(a, b) < most
  assert dtypes(one) == dtypes(other)
  learned = jax.eval_shape(low.learn, state, trajectory, KEY).state
  assert dtypes(jax.eval_shape(low.init, KEY)) == dtypes(state) == dtypes(learned)
  assert jnp.bfloat16 not in dtypes(learned)


@pytest.mark.parametrize("torso", ["conv", "resnet_ws"])
def test_pictures_are_read_by_products_in_bfloat16(torso):
  spec = specs.BoundedArray((36, 36, 3), np.uint8, 0, 255)
  picture = np.random.default_rng(0).integers(256, size=(2, 36, 36, 3)).astype(np.uint8)
  settings = WorldModelConfig(torso=torsos.registry.choice(torso))
  full, low = (
    world_model.build(settings, spec, specs.DiscreteArray(2), compute)
    for compute in ("float32", "bfloat16")
  )
  params = full.init(KEY)
  one, other = (quick(model.encode)(params, picture) for model in (full, low))
  assert 1e-5 < apart(one, other) < 0.05
  assert one.dtype == other.dtype == jnp.float32
  assert dtypes(low.init(KEY)) == dtypes(params)


def test_a_product_rounds_what_goes_into_it_and_nothing_else():
  network = hk.without_apply_rng(hk.transform(lowered(lambda x: hk.Linear(3)(x), "bfloat16")))
  x = jax.random.normal(KEY, (4, 5))
  params = network.init(KEY, x)
  w = params["linear"]["w"]

  def rounded(x):
    return np.asarray(x.astype(jnp.bfloat16).astype(jnp.float32), np.float64)

  out = network.apply(params, x)
  np.testing.assert_allclose(out, rounded(x) @ rounded(w), rtol=1e-2, atol=1e-2)
  text = str(jax.make_jaxpr(network.apply)(params, x))
  assert "bf16" in text
  assert out.dtype == w.dtype == jnp.float32


def test_convolutions_are_computed_in_bfloat16_both_ways():
  network = hk.without_apply_rng(hk.transform(lowered(lambda x: Conv2D(2, 2)(x), "bfloat16")))
  x = jax.random.normal(KEY, (1, 4, 4, 1))
  params = network.init(KEY, x)
  text = str(jax.make_jaxpr(jax.grad(lambda p: network.apply(p, x).sum()))(params))
  lines = [line for line in text.splitlines() if "= conv_general_dilated[" in line]
  assert lines
  assert all("bf16" in line for line in lines)


@pytest.mark.parametrize("core", CORES)
def test_a_run_trains(core):
  run = small("byol_explore", eval_rows=1000)
  agent = dataclasses.replace(
    run.agent,
    compute="bfloat16",
    bonus=bonuses.registry.choice("byol_explore"),
    world_model=dataclasses.replace(run.agent.world_model, core=cores.registry.choice(core)),
  )
  loop = experiment.build(dataclasses.replace(run, agent=agent)).loop
  rows = [row for step in loop.train(loop.init(), lambda: False) for row in step.rows]
  losses = [row["loss"] for row in rows if "loss" in row]
  assert len(losses) == UPDATES
  assert all(math.isfinite(loss) for loss in losses)


def test_the_default_is_float32():
  network = hk.without_apply_rng(hk.transform(lowered(lambda x: hk.Linear(3)(x), "float32")))
  x = jnp.ones((1, 5))
  text = str(jax.make_jaxpr(network.apply)(network.init(KEY, x), x))
  assert "bf16" not in text
  assert ByolExploreConfig().compute == "float32"
