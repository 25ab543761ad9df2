"""The cores against Haiku's own, with the same parameters."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.cores import core as cores
from agents.cores.gru import GRU
from agents.cores.lstm import LSTMState
from agents.cores.parallel import Parallel

SIZE, INPUTS, BATCH = 4, 6, 5
NAMES = cores.registry.names()
RECURRENT = [name for name in NAMES if not issubclass(cores.registry.get(name), Parallel)]


def settings_of(name):
  return cores.registry.choice(name).settings


def run(name, params, x, state):
  core = hk.without_apply_rng(
    hk.transform(
      lambda x, s: (lambda c: c.step(c.project(x), s))(cores.registry.get(name)(None, SIZE, "core"))
    )
  )
  return core.apply(params, x, state)


def random(*shape, seed=0):
  return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_gru_equals_haiku():
  x, h = random(BATCH, INPUTS), random(BATCH, SIZE, seed=1)
  w_i, w_h, b = random(INPUTS, 3 * SIZE), random(SIZE, 3 * SIZE, seed=2), random(3 * SIZE, seed=3)
  haiku = hk.without_apply_rng(hk.transform(lambda x, h: hk.GRU(SIZE, name="gru")(x, h)))
  _, expected = haiku.apply({"gru": {"w_i": w_i, "w_h": w_h, "b": b}}, x, h)
  ours = {
    "core/~project/inputs": {"w": w_i, "b": b},
    "core": {"w_gates": w_h[:, : 2 * SIZE], "w_candidate": w_h[:, 2 * SIZE :]},
  }
  np.testing.assert_allclose(run("gru", ours, x, h), expected, atol=1e-6)


def test_lstm_equals_haiku():
  x, h, c = random(BATCH, INPUTS), random(BATCH, SIZE, seed=1), random(BATCH, SIZE, seed=2)
  w, b = random(INPUTS + SIZE, 4 * SIZE, seed=3), random(4 * SIZE, seed=4)
  haiku = hk.without_apply_rng(
    hk.transform(lambda x, h, c: hk.LSTM(SIZE, name="lstm")(x, hk.LSTMState(h, c))[1])
  )
  expected = haiku.apply({"lstm/linear": {"w": w, "b": b}}, x, h, c)
  ours = {
    "core/~project/inputs": {"w": w[:INPUTS], "b": b},
    "core": {"w_hidden": w[INPUTS:]},
  }
  state = run("lstm", ours, x, LSTMState(h, c))
  np.testing.assert_allclose(state.hidden, expected.hidden, atol=1e-6)
  np.testing.assert_allclose(state.cell, expected.cell, atol=1e-6)


def test_feedforward_is_the_rectified_latent_whatever_came_before():
  x, state = random(BATCH, INPUTS), random(BATCH, SIZE, seed=1)
  np.testing.assert_array_equal(run("feedforward", {}, x, state), np.maximum(x[:, :SIZE], 0.0))
  assert cores.registry.get("feedforward").open_loop() is GRU


@pytest.mark.parametrize("name", RECURRENT)
def test_every_recurrent_core_keeps_the_contract(name):
  core = cores.registry.get(name)
  initial = core.initial_state(None, SIZE, BATCH)
  assert all(np.array_equal(leaf, np.zeros((BATCH, SIZE))) for leaf in jax.tree.leaves(initial))
  transformed = hk.without_apply_rng(
    hk.transform(lambda x, s: (lambda c: c.step(c.project(x), s))(core(None, SIZE, "core")))
  )
  x = random(BATCH, INPUTS)
  params = transformed.init(jax.random.key(0), x, initial)
  state = transformed.apply(params, x, initial)
  assert jax.tree.structure(state) == jax.tree.structure(initial)
  assert core.output(state).shape == (BATCH, SIZE)
  # One example's step does not depend on the others.
  alone = transformed.apply(params, x[:1], core.initial_state(None, SIZE, 1))
  np.testing.assert_allclose(core.output(alone), core.output(state)[:1], atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_starts_with_zeros_and_anew_where_told(name):
  core = cores.registry.get(name)
  initial = core.initial_state(settings_of(name), SIZE, 3)
  assert all(len(leaf) == 3 and not np.any(leaf) for leaf in jax.tree.leaves(initial))
  state = jax.tree.map(lambda x: x + 1, initial)
  first = jnp.asarray([False, True, False])
  for leaf in jax.tree.leaves(cores.reset(initial, state, first)):
    assert [np.unique(x).tolist() for x in leaf] == [[1], [0], [1]]


@pytest.mark.parametrize("name", NAMES)
def test_the_open_loop_is_recurrent_and_reads_what_it_starts_from(name):
  loop = cores.registry.get(name).open_loop()
  assert not issubclass(loop, Parallel)
  start = loop.initial_state(None, SIZE, BATCH)
  assert loop.output(start).shape == (BATCH, SIZE)


@pytest.mark.parametrize("seeds", [None, 2])
@pytest.mark.parametrize("name", RECURRENT)
def test_the_gradient_of_an_unroll_is_that_of_the_plain_scan(name, seeds):
  length = 6
  core_type = cores.registry.get(name)

  def functions():
    core = core_type(None, SIZE, "core")
    return core.step, (core.step, core.recurrence)

  step, recurrence = hk.without_apply_rng(hk.multi_transform(functions)).apply
  wide = core_type.initial_state(None, SIZE, BATCH)
  gates = {"gru": 3, "lstm": 4, "feedforward": 1}[name] * SIZE
  projected = random(length, BATCH, gates)
  first = jnp.asarray(np.random.default_rng(1).random((length, BATCH)) < 0.3)
  state = jax.tree.map(lambda x: random(*x.shape, seed=2), wide)
  params = hk.transform(lambda p, s: core_type(None, SIZE, "core").step(p, s)).init(
    jax.random.key(0), projected[0], state
  )

  def fast(params, projected, state):
    return cores.unroll(step, recurrence, params, projected, first, wide, state)

  def plain(params, projected, state):
    states = []
    for t in range(length):
      state = step(params, projected[t], cores.reset(wide, state, first[t]))
      states.append(state)
    return jax.tree.map(lambda *x: jnp.stack(x), *states)

  def gradients(unroll):
    def loss(*inputs):
      states = jax.tree.leaves(unroll(*inputs))
      return sum(jnp.sum(random(*s.shape, seed=3) * jnp.sin(s)) for s in states)

    differentiate = jax.value_and_grad(loss, argnums=(0, 1, 2))
    if seeds is None:
      return differentiate(params, projected, state)
    scale = 1.0 + jnp.arange(seeds)

    def scaled(factor):
      return jax.tree.map(lambda x: factor * x, (params, projected, state))

    return jax.jit(jax.vmap(lambda factor: differentiate(*scaled(factor))))(scale)

  ours, expected = gradients(fast), gradients(plain)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), ours, expected)
  if name != "feedforward":
    assert all(np.any(np.abs(x) > 1e-2) for x in jax.tree.leaves(ours))
