"""BYOL-Hindsight against loops, its two players, and what noise and the familiar are paid."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from agents.bonuses import byol_hindsight
from agents.bonuses.byol_hindsight import BYOLHindsightConfig, invariance
from agents.world_model import table
from tests.agents.bonuses.slow_networks import (
  CONTEXT,
  HORIZON,
  familiar_and_unseen,
  loop,
  mlp,
  random_outputs,
  train,
  unit,
)
from tests.agents.bonuses.small_world import KEY

LENGTH, BATCH, SIZE = 6, 4, 8
CONFIG = BYOLHindsightConfig(size=SIZE, invariance=0.7)


def network(params, name):
  return {key: value for key, value in params.items() if key.split("/")[0] == name}


def two(params, name, belief, other):
  """A hidden layer of a belief and of what is projected already, and a last layer."""
  hidden = mlp(network(params, f"{name}_belief"), belief) + other
  return mlp(network(params, name), np.maximum(hidden, 0.0))


def slow_errors(params, outputs, noise):
  """R and V, [T, K, B] each, one forecast at a time; 0 where not valid."""
  forecasts = outputs.forecasts
  valid = np.asarray(forecasts.valid)
  of_outcome, of_z = (np.asarray(params[name]["w"], np.float64) for name in ("outcome", "z"))
  reconstruction, leak = np.zeros((2, *valid.shape))
  for p in range(LENGTH):
    for q in range(HORIZON):
      z = {}
      for b in np.flatnonzero(valid[p, q]):
        belief, target = forecasts.imagined[p, q, b], unit(forecasts.targets[p + q + 1, b])
        outcome = np.concatenate([target, noise[p + q + 1, b]])
        z[b] = two(params, "generator", belief, outcome @ of_outcome)
        foreseen = unit(two(params, "reconstructor", belief, z[b] @ of_z))
        reconstruction[p, q, b] = np.sum((foreseen - target) ** 2)
      read = {j: mlp(network(params, "critic_z"), z[j]) for j in z}
      for b in z:
        seen = mlp(network(params, "critic_belief"), forecasts.imagined[p, q, b])
        scores = {j: np.exp(seen @ read[j] / np.sqrt(SIZE)) for j in z}
        leak[p, q, b] = np.log(scores[b] / np.mean(list(scores.values())))
  return reconstruction, leak


def case(make_trajectory, seed=0):
  rng = np.random.default_rng(seed)
  trajectory = make_trajectory(rng, LENGTH, BATCH)
  bonus = byol_hindsight.build(CONFIG, CONTEXT)
  return bonus, bonus.init(KEY)[0], trajectory, random_outputs(rng, trajectory)


def test_rewards_and_loss_equal_a_slow_version(make_trajectory):
  bonus, params, trajectory, outputs = case(make_trajectory)
  reward, loss = (jax.jit(f) for f in (bonus.reward, bonus.loss))
  noise = np.asarray(jax.random.normal(KEY, (LENGTH + 1, BATCH, SIZE)))
  reconstruction, leak = slow_errors(params, outputs, noise)
  valid = np.asarray(outputs.forecasts.valid)
  total = reconstruction + 0.7 * leak
  expected = np.zeros((LENGTH, BATCH))
  for t in range(LENGTH):
    for b in range(BATCH):
      starts = [(t - q, q) for q in range(HORIZON) if t >= q and valid[t - q, q, b]]
      expected[t, b] = np.mean([total[p, q, b] for p, q in starts]) if starts else 0.0
  paid, _, metrics = reward(params, (), trajectory, outputs, KEY)
  np.testing.assert_allclose(paid, expected, rtol=1e-3, atol=1e-4)
  np.testing.assert_allclose(
    metrics["reconstruction"], table.loss(reconstruction, valid), rtol=1e-3
  )
  np.testing.assert_allclose(metrics["invariance"], table.loss(leak, valid), rtol=1e-2, atol=1e-4)
  np.testing.assert_allclose(
    loss(params, (), trajectory, outputs, KEY), table.loss(reconstruction - leak, valid), rtol=1e-3
  )


def test_generator_and_critic_pull_apart(make_trajectory):
  bonus, params, trajectory, outputs = case(make_trajectory, 1)
  weightless = byol_hindsight.build(BYOLHindsightConfig(SIZE, 0.0), CONTEXT)

  def leak(params):
    _, _, metrics = bonus.reward(params, (), trajectory, outputs, KEY)
    return metrics["invariance"]

  whole, plain, leaked = (
    jax.grad(f)(params)
    for f in (
      lambda p: bonus.loss(p, (), trajectory, outputs, KEY),
      lambda p: weightless.loss(p, (), trajectory, outputs, KEY),
      leak,
    )
  )

  def same(name, gradient, expected):
    jax.tree.map(
      functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5),
      network(gradient, name),
      network(expected, name),
    )

  for critic in ("critic_belief", "critic_z"):
    same(critic, whole, jax.tree.map(jnp.negative, leaked))
  for name in ("outcome", "generator", "generator_belief", "reconstructor", "z"):
    same(name, whole, jax.tree.map(lambda r, v: r + 0.7 * v, plain, leaked))


def test_no_gradient_reaches_the_world_model(make_trajectory):
  bonus, params, trajectory, outputs = case(make_trajectory, 2)

  def loss(imagined, targets):
    forecasts = outputs.forecasts._replace(imagined=imagined, targets=targets)
    return bonus.loss(params, (), trajectory, outputs._replace(forecasts=forecasts), KEY)

  gradient = jax.grad(loss, argnums=(0, 1))(outputs.forecasts.imagined, outputs.forecasts.targets)
  assert not any(jnp.any(g) for g in gradient)


def test_z_that_tells_the_belief_is_told_from_z_that_does_not():
  beliefs = 10.0 * jnp.eye(4)[None]
  valid = jnp.ones((1, 4), bool)
  np.testing.assert_allclose(invariance(beliefs, beliefs, valid), np.log(4.0), rtol=1e-4)
  same = jnp.broadcast_to(beliefs[:, :1], beliefs.shape)
  np.testing.assert_allclose(invariance(beliefs, same, valid), 0.0, atol=1e-4)
  two = jnp.asarray([[True, False, True, False]])
  expected = np.where(two, np.log(2.0), 0.0)
  np.testing.assert_allclose(invariance(beliefs, beliefs, two), expected, rtol=1e-4)


def test_no_valid_forecast_gives_finite_gradients():
  nothing = jnp.zeros((1, 4), bool)

  def total(x):
    return jnp.sum(invariance(x, x, nothing))

  gradient = jax.grad(total)(jax.random.normal(KEY, (1, 4, 3)))
  np.testing.assert_array_equal(gradient, 0.0)


def test_a_familiar_loop_pays_far_less_than_unseen_observations():
  familiar, unseen = familiar_and_unseen(byol_hindsight.build(CONFIG, CONTEXT), steps=1000)
  assert familiar < 0.1 * unseen


def test_noise_pays_far_less_than_the_best_forecast_errs():
  trajectory, outputs = loop(0)
  bonus = byol_hindsight.build(BYOLHindsightConfig(), CONTEXT)

  def noisy(key, outputs):
    targets = jax.random.normal(key, outputs.forecasts.targets.shape)
    return outputs._replace(forecasts=outputs.forecasts._replace(targets=targets))

  params, statistics = train(bonus, trajectory, outputs, steps=600, vary=noisy)
  unseen = noisy(jax.random.key(1), outputs)
  paid, _, _ = bonus.reward(params, statistics, trajectory, unseen, KEY)
  # Of directions that are uniform every fixed forecast errs by 2 - 2 cos, 2 in the mean.
  assert jnp.mean(paid) < 0.2 * 2.0


def test_without_the_critic_z_tells_the_belief():
  trajectory, outputs = loop(0)

  def leak(weight):
    bonus = byol_hindsight.build(BYOLHindsightConfig(SIZE, weight), CONTEXT)
    params, statistics = train(bonus, trajectory, outputs, steps=600)
    return bonus.reward(params, statistics, trajectory, outputs, KEY)[2]["invariance"]

  assert leak(0.0) > 0.9 * np.log(4.0)
  assert leak(1.0) < 0.4 * np.log(4.0)
