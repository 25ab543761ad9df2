"""cdat on quadratics of known curvature, and in an agent's step."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from agents.agent import Given
from agents.cores import core as cores
from agents.latent import agent as latent_agent
from agents.latent import parts as latent_parts
from agents.latent import probe, update
from agents.optimisers import cdat
from agents.optimisers import optimiser as optimisers
from envs.auto_reset import AutoReset
from experiments.runtimes import on_device
from tests.agents.optimisers.test_optimisers import CONFIG, ENV


class Two(NamedTuple):
  """Parts of parameters."""

  a: Any
  b: Any


PARTS = Two("networks", "duals")


def descend(h, w, sigma, decay=0.0, steps=1, direction=None):
  """Losses of 1/2 w.Hw before and after some steps, and the last rate."""
  h = jnp.asarray(h, jnp.float32)

  def f(w):
    return 0.5 * jnp.sum(h * w * w)

  method = cdat.scale_by_cdat(sigma, decay)
  w = jnp.asarray(w, jnp.float32)
  losses, state = [float(f(w))], method.init(w)
  for _ in range(steps):
    g = jax.grad(f)(w)
    u = -g if direction is None else jnp.asarray(direction, jnp.float32)
    step, state = method.update(u, state, w, gradient=g, hvp=lambda v: h * v)
    w = w + step
    losses.append(float(f(w)))
  return losses, float(state.rate)


@pytest.mark.parametrize(("sigma", "after"), [(1.0, 0.404595), (1.5, 1.678447), (2.0, 5.5)])
def test_the_first_step_is_the_closed_form(sigma, after):
  losses, rate = descend([1, 10], [1, 1], sigma)
  assert rate == pytest.approx(sigma * 101 / 1001, rel=1e-5)
  np.testing.assert_allclose(losses, [5.5, after], rtol=1e-5)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.7])
def test_a_quadratic_falls_as_the_source_has_it_along_any_direction(sigma):
  h, w, u = np.array([1.0, 3.0, 7.0]), np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.4, -1.0])
  losses, _ = descend(h, w, sigma, direction=u)
  n, d = -np.dot(h * w, u), np.dot(u, h * u)
  assert n > 0
  assert losses[0] - losses[1] == pytest.approx((sigma - sigma**2 / 2) * n**2 / d, rel=1e-4)


def test_a_direction_up_the_hill_is_not_taken():
  losses, rate = descend([1, 10], [1, 1], 1.0, direction=[1.0, 1.0])
  assert rate == 0.0
  assert losses[0] == losses[1]


@pytest.mark.parametrize("sigma", [1.9, 2.0])
def test_sharpness_times_rate_becomes_sigma(sigma):
  _, rate = descend(np.arange(1, 11), np.ones(10), sigma, steps=100)
  assert rate * 10 == pytest.approx(sigma, abs=0.02)


def test_beyond_the_edge_it_diverges():
  losses, _ = descend(np.arange(1, 11), np.ones(10), 2.06, steps=150)
  assert losses[-1] > 10 * losses[0]


def test_averages_are_of_numerator_and_denominator_apart_and_unbiased():
  method = cdat.scale_by_cdat(1.0, 0.9)
  rng = np.random.default_rng(0)
  n, d, state = 0.0, 0.0, method.init(jnp.zeros(3))
  for t in range(1, 6):
    u, g, hu = rng.normal(size=(3, 3)).astype(np.float32)
    _, state = method.update(
      jnp.asarray(u), state, gradient=jnp.asarray(g), hvp=lambda v, hu=hu: jnp.asarray(hu)
    )
    n = 0.9 * n + 0.1 * max(-g @ u, 0)
    d = 0.9 * d + 0.1 * abs(u @ hu)
    corrected = (n / (1 - 0.9**t)) / (d / (1 - 0.9**t))
    np.testing.assert_allclose(state.rate, corrected, rtol=1e-4)


def test_a_rate_is_bounded_by_learning_rates_and_divided_by_one():
  method = cdat.scale_by_cdat(1.0, 0.0, max_rate=10.0)
  u = jnp.array([-1.0])
  told = {"gradient": jnp.array([1.0]), "learning_rate": jnp.float32(0.01)}
  flat, state = method.update(u, method.init(u), hvp=lambda v: 1e-6 * v, **told)
  assert float(state.rate) == pytest.approx(0.1)
  assert float(flat[0]) == pytest.approx(-10.0)
  steep, state = method.update(u, method.init(u), hvp=lambda v: 50.0 * v, **told)
  assert float(state.rate) == pytest.approx(0.02)
  assert float(steep[0] * 0.01) == pytest.approx(-0.02)


@pytest.fixture(scope="module")
def played():
  """An agent by cdat, its parts and first state, and what it played."""
  choice = optimisers.registry.choice("cdat", decay=0.0, max_rate=1e9)
  model = dataclasses.replace(CONFIG.world_model, core=cores.registry.choice("feedforward"))
  config = dataclasses.replace(CONFIG, optimiser=choice, world_model=model)
  parts = latent_parts.build(config, ENV, Given(10))
  agent = latent_agent.of_parts(parts)
  key = jax.random.key(0)
  carry = jax.tree.map(lambda x: x[0], on_device.build(ENV, agent, 1).init(key[None]))
  variables = agent.variables(carry.learner)
  unroll = jax.jit(lambda c: on_device.unroll(AutoReset(ENV), agent, variables, c)[1])
  return parts, carry.learner, unroll(carry)


def test_an_agents_step_is_the_rate_times_the_base_and_leaves_duals_to_adam(played):
  parts, state, trajectory = played
  key = jax.random.key(1)

  @jax.jit
  def both(state):
    new, done = update.gradient_step(parts, state, trajectory, None, key)
    g, _ = update.gradient(parts, state, trajectory, None, key)
    adam = optimisers.build(optimisers.registry.choice("adam"), 10.0, latent_parts.LABELS)
    u, _ = adam.update(g, adam.init(state.params), state.params)
    along = u._replace(duals=jax.tree.map(jnp.zeros_like, u.duals))

    def slope(at):
      moved = state._replace(params=optax.apply_updates(state.params, optax.tree.scale(at, along)))
      return optax.tree.vdot(update.gradient(parts, moved, trajectory, None, key)[0], along)

    # The slope of the loss along u, and by another way of differentiating, the slope of that.
    return new, done, u, jax.value_and_grad(slope)(jnp.float32(0.0))

  new, done, u, (slope, curvature) = both(state)
  rate = max(-float(slope), 0.0) / abs(float(curvature))
  assert float(done.metrics["cdat_rate"]) == pytest.approx(rate, rel=1e-3)
  assert rate > 0
  for a, b, step in zip(
    *map(jax.tree.leaves, (new.params.heads, state.params.heads, u.heads)), strict=True
  ):
    np.testing.assert_allclose(a - b, rate * step, atol=1e-6)
  duals = zip(*map(jax.tree.leaves, (new.params.duals, state.params.duals)), strict=True)
  assert all(abs(float(a - b)) == pytest.approx(0.01, rel=1e-2) for a, b in duals)


def test_an_agents_sharpness_is_logged_on_demand(played):
  parts, state, trajectory = played
  assert "sharpness" not in jax.eval_shape(probe.build(parts).diagnose, state, trajectory)
  asked = parts._replace(config=dataclasses.replace(parts.config, sharpness_steps=6))
  told = jax.jit(probe.build(asked).diagnose)(state, trajectory)
  assert np.isfinite(told["sharpness"])
  assert told["sharpness"] > max(told["sharpness_least"], 0.0)


@pytest.mark.parametrize(
  ("settings", "line"),
  [
    ({"sigma": 0.0}, "sigma is 0.0; it must be above 0"),
    ({"decay": 1.0}, r"decay is 1.0; it must lie in \[0, 1\)"),
    ({"base": "cdat"}, "base is 'cdat'; the direction is another optimiser's"),
    ({"base": "adom"}, "adam"),
  ],
)
def test_settings_out_of_range_are_one_line(settings, line):
  with pytest.raises(ValueError, match=line):
    optimisers.registry.build(optimisers.registry.choice("cdat", **settings), 1.0)


def test_of_a_schedule_free_optimiser_the_average_acts():
  choice = optimisers.registry.choice("schedule_free", base="sgd", beta=0.9)
  method = optimisers.build(choice, 1e9, PARTS)
  w, rate = [np.array([1.0, -2.0]), np.array([5.0])], 0.1
  params = Two(*map(jnp.asarray, w))
  state = method.init(params)
  z = x = y = w[0]
  for t in range(1, 5):
    told = {"learning_rate": jnp.float32(rate)}
    step, state = method.update(Two(params.a, params.b), state, params, **told)
    step = optimisers.scaled(step, PARTS, jnp.float32(rate), jnp.float32(0.0))
    params = optax.apply_updates(params, step)
    z = z - rate * y
    x = (1 - 1 / t) * x + z / t
    y = 0.1 * z + 0.9 * x
    np.testing.assert_allclose(params.a, y, rtol=1e-5)
    acts = optimisers.evaluated(state, params)
    np.testing.assert_allclose(acts.a, x, rtol=1e-5)
    np.testing.assert_array_equal(acts.b, params.b)
