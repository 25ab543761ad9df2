"""The reachability network, its loss and its calibration, against NumPy and SciPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import minimize_scalar

from agents.reachability import network, pairs
from agents.reachability.network import ReachabilityConfig

KEY = jax.random.key(0)
SIZE = 5


@functools.cache
def built(comparator_layers=2):
  config = ReachabilityConfig(
    reach_features=4, reach_hidden=8, reach_comparator_layers=comparator_layers
  )
  net = network.build(config, SIZE)
  params = jax.jit(net.init)(KEY)
  # Biases begin at 0, where a forgotten one would not be seen.
  leaves, tree = jax.tree.flatten(params)
  rng = np.random.default_rng(0)
  leaves = [x + jnp.asarray(0.3 * rng.normal(size=x.shape), jnp.float32) for x in leaves]
  return net, jax.tree.unflatten(tree, leaves)


def vectors(seed, *shape):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def slow_features(params, x):
  for i in range(3):
    layer = params[f"encoder/~/linear_{i}"]
    x = (np.tanh(x) if i else x) @ layer["w"] + layer["b"]
  return x


def slow_logit(params, source, target):
  """The comparator as it is drawn: an MLP on both vectors, one after the other."""
  both = np.concatenate([params["from_source"]["w"], params["from_target"]["w"]])
  x = np.concatenate([source, target]) @ both + params["from_source"]["b"]
  layers = sum(name.startswith("comparator") for name in params)
  for i in range(layers):
    layer = params[f"comparator/~/linear_{i}"]
    x = np.maximum(x, 0.0) @ layer["w"] + layer["b"]
  return x[0]


@pytest.mark.parametrize("jitted", [True, False])
def test_features_equal_numpy(jitted):
  net, params = built()
  x = vectors(1, 2, 3, SIZE)
  features = (jax.jit(net.features) if jitted else net.features)(params, x)
  assert features.shape == (2, 3, 4)
  np.testing.assert_allclose(features, slow_features(params, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("comparator_layers", [2, 3])
def test_all_logits_are_those_of_each_pair(comparator_layers):
  net, params = built(comparator_layers)
  sources, targets = vectors(1, 5, 4), vectors(2, 3, 4)
  table = jax.jit(net.all_logits)(params, sources, targets)
  slow = [[slow_logit(params, s, t) for t in targets] for s in sources]
  np.testing.assert_allclose(table, slow, rtol=1e-5, atol=1e-5)
  pairwise = net.logits(params, np.repeat(sources, 3, 0), np.tile(targets, (5, 1)))
  np.testing.assert_allclose(table, pairwise.reshape(5, 3), rtol=1e-5, atol=1e-5)


def test_logits_broadcast_and_are_directed():
  net, params = built()
  one, many = vectors(1, 4), vectors(2, 2, 3, 4)
  there, back = net.logits(params, one, many), net.logits(params, many, one)
  assert there.shape == back.shape == (2, 3)
  assert np.min(np.abs(there - back)) > 1e-3


def test_the_loss_equals_numpy_and_skips_what_weighs_nothing():
  logits = vectors(1, 40) * 3
  labels = vectors(2, 40) > 0
  weights = (vectors(3, 40) > -0.5).astype(np.float32)
  value, metrics = jax.jit(network.loss)(logits, labels, weights)
  z, y = logits[weights > 0].astype(np.float64), labels[weights > 0]
  p = 1 / (1 + np.exp(-z))
  np.testing.assert_allclose(value, -np.mean(np.where(y, np.log(p), np.log(1 - p))), rtol=1e-5)
  np.testing.assert_allclose(metrics["reach_accuracy"], np.mean((z > 0) == y), rtol=1e-6)
  np.testing.assert_allclose(metrics["reach_found"], np.mean(z[y] > 0), rtol=1e-6)
  np.testing.assert_allclose(metrics["reach_false"], np.mean(z[~y] > 0), rtol=1e-6)


def test_the_loss_of_no_pairs_is_0():
  value, metrics = network.loss(jnp.ones(3), jnp.ones(3, bool), jnp.zeros(3))
  assert value == 0.0
  assert all(np.isfinite(x) for x in metrics.values())


@pytest.mark.parametrize("jitted", [True, False])
def test_the_temperature_is_the_most_likely_one(jitted):
  rng = np.random.default_rng(0)
  true = rng.normal(size=500)
  labels = rng.random(500) < 1 / (1 + np.exp(-true))
  logits = (3.0 * true).astype(np.float32)
  fit = jax.jit(network.fit_temperature) if jitted else network.fit_temperature

  def nll(log_t):
    z = logits.astype(np.float64) / np.exp(log_t)
    return np.mean(np.logaddexp(0.0, z) - labels * z)

  slow = minimize_scalar(nll, bounds=(-4, 4), method="bounded", options={"xatol": 1e-8})
  np.testing.assert_allclose(fit(logits, labels), np.exp(slow.x), rtol=1e-4)


def test_a_temperature_leaves_out_what_weighs_nothing():
  logits, labels = vectors(1, 60), vectors(2, 60) > 0
  weights = (np.arange(60) < 40).astype(np.float32)
  whole, part = (
    jax.jit(network.fit_temperature)(*x)
    for x in ((logits, labels, weights), (logits[:40], labels[:40], np.ones(40, np.float32)))
  )
  np.testing.assert_allclose(whole, part, rtol=1e-5)


def test_logits_that_are_never_wrong_have_the_lowest_temperature():
  logits = jnp.array([-2.0, -1.0, 1.0, 2.0])
  np.testing.assert_allclose(network.fit_temperature(logits, logits > 0), np.exp(-4), rtol=1e-3)


def test_the_calibration_error_equals_numpy():
  rng = np.random.default_rng(0)
  p = rng.random(300).astype(np.float32)
  p[:2] = 0.0, 1.0
  y = rng.random(300) < p**2
  weights = (rng.random(300) < 0.7).astype(np.float32)
  slow, used = 0.0, weights > 0
  for b in range(15):
    low, high = b / 15, (b + 1) / 15
    inside = used & (p >= low) & ((p < high) | (b == 14))
    if inside.any():
      slow += inside.sum() / used.sum() * abs(p[inside].mean() - y[inside].mean())
  error = jax.jit(network.calibration_error, static_argnames="bins")(p, y, 15, weights)
  np.testing.assert_allclose(error, slow, rtol=1e-4)


def test_a_one_way_ring_is_learned_in_its_direction():
  """On a ring that is walked one way, what lies ahead is near and what lies behind is not."""
  places, length = 30, 24
  config = ReachabilityConfig(reach_window=4, reach_learning_rate=5e-3)
  walk = (np.random.default_rng(0).integers(0, places, (64, 1)) + np.arange(length)) % places
  angle = 2 * np.pi / places * np.arange(places)
  seen = jnp.asarray(np.stack([np.cos(angle), np.sin(angle)], -1), jnp.float32)
  table, episodes = jnp.asarray(walk), pairs.table(jnp.zeros((64, length), jnp.int32))
  net, optimiser = network.build(config, 2), network.optimiser(config)

  def loss(params, drawn):
    source, target = (net.features(params, seen[table[tuple(x)]]) for x in drawn[:2])
    return network.loss(net.logits(params, source, target), drawn.label, drawn.weight)

  def step(carry, key):
    params, moments = carry
    grads, _ = jax.grad(loss, has_aux=True)(params, pairs.draw(key, episodes, 128, config))
    updates, moments = optimiser.update(grads, moments, params)
    return (optax.apply_updates(params, updates), moments), None

  @jax.jit
  def train(key):
    params = net.init(key)
    keys = jax.random.split(key, 150)
    params = jax.lax.scan(step, (params, optimiser.init(params)), keys)[0][0]
    features = net.features(params, seen)
    return net.all_logits(params, features, features)

  ahead = (np.arange(places) - np.arange(places)[:, None]) % places
  assert np.mean((train(KEY) > 0) == (ahead <= 4)) > 0.95


@pytest.mark.parametrize(
  ("setting", "value"),
  [
    ("reach_window", -1),
    ("reach_comparator_layers", 1),
    ("reach_same_share", 1.5),
    ("reach_learning_rate", 0.0),
    ("reach_weight_decay", -1.0),
  ],
)
def test_settings_out_of_range_are_refused_by_name(setting, value):
  with pytest.raises(ValueError, match=setting):
    ReachabilityConfig(**{setting: value})
