"""Retrieval: InfoNCE, spans and queue against NumPy, and that it finds what lies near."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from agents.offline import retrieval
from agents.offline.retrieval import Queue, RetrievalConfig
from agents.reachability.pairs import PADDING

KEY = jax.random.key(0)


def units(seed, *shape):
  x = np.random.default_rng(seed).normal(size=shape)
  return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("jitted", [True, False])
def test_info_nce_equals_numpy_and_leaves_out_the_same_episode(jitted):
  queries, keys = units(0, 3, 4), units(1, 3, 4)
  queue = Queue(units(2, 6, 4), np.array([5, 7, 5, 8, PADDING, 9], np.int32), jnp.int32(0))
  episodes = np.array([5, 8, 4], np.int32)
  function = functools.partial(retrieval.info_nce, temperature=0.05)
  errors, first = (jax.jit(function) if jitted else function)(queries, keys, episodes, queue)
  for i in range(3):
    good = np.exp(queries[i] @ keys[i] / 0.05, dtype=np.float64)
    bad = [
      np.exp(queries[i] @ queue.keys[j] / 0.05, dtype=np.float64)
      for j in range(6)
      if queue.episodes[j] not in (episodes[i], PADDING)
    ]
    np.testing.assert_allclose(errors[i], -np.log(good / (good + sum(bad))), rtol=1e-4, atol=1e-5)
    assert first[i] == (good > max(bad))


def test_an_empty_queue_has_no_loss_and_no_gradient():
  queue = Queue(jnp.zeros((6, 4)), jnp.full(6, PADDING, jnp.int32), jnp.int32(0))
  keys, episodes = units(1, 3, 4), np.arange(3, dtype=np.int32)
  value, grad = jax.value_and_grad(
    lambda q: jnp.sum(retrieval.info_nce(q, keys, episodes, queue, 0.05)[0])
  )(units(0, 3, 4))
  assert abs(value) < 1e-5
  np.testing.assert_allclose(grad, 0.0, atol=1e-5)


def test_new_keys_take_the_places_of_the_oldest_around_the_end():
  queue = Queue(jnp.zeros((5, 1)), jnp.full(5, PADDING, jnp.int32), jnp.int32(0))
  enqueue = jax.jit(retrieval.enqueue)
  for batch in range(3):
    number = 2 * batch + np.arange(2)
    queue = enqueue(queue, number[:, None].astype(np.float32), number.astype(np.int32))
  np.testing.assert_array_equal(queue.episodes, [5, 1, 2, 3, 4])
  np.testing.assert_array_equal(queue.keys[:, 0], [5, 1, 2, 3, 4])
  assert queue.head == 1


def test_a_batch_larger_than_the_queue_is_refused():
  queue = Queue(jnp.zeros((2, 1)), jnp.zeros(2, jnp.int32), jnp.int32(0))
  with pytest.raises(ValueError, match="retrieval_queue"):
    retrieval.enqueue(queue, jnp.zeros((3, 1)), jnp.zeros(3, jnp.int32))


def test_spans_lie_in_their_episode_and_have_all_lengths_and_places():
  begin, end = jnp.tile(jnp.array([0, 3, 19]), 2000), jnp.tile(jnp.array([20, 13, 20]), 2000)
  spans = np.asarray(retrieval.crop(KEY, begin, end, 20, 0.1, 0.5)).reshape(20, 2000, 3)
  # One piece each: it begins once.
  assert np.all(np.sum(np.diff(spans, axis=0, prepend=False) & spans, axis=0) == 1)
  sizes = spans.sum(0)
  assert set(sizes[:, 0]) == set(range(2, 10))
  assert set(sizes[:, 1]) == set(range(1, 5))
  assert set(sizes[:, 2]) == {1}
  covered = spans.any(1)
  np.testing.assert_array_equal(covered[:, 0], True)
  np.testing.assert_array_equal(np.flatnonzero(covered[:, 1]), np.arange(3, 13))
  np.testing.assert_array_equal(np.flatnonzero(covered[:, 2]), [19])


CONFIG = RetrievalConfig(retrieval_features=3, retrieval_hidden=4, retrieval_queue=8)


def slow_span(params, latents, span):
  """The unit vector of the mean of what the encoder says along a span."""
  x = np.asarray(latents, np.float64)
  layers = sorted(params)
  for i, name in enumerate(layers):
    x = x @ np.asarray(params[name]["w"], np.float64) + np.asarray(params[name]["b"])
    x = np.maximum(x, 0.0) if i < len(layers) - 1 else x
  mean = x[span].mean(0)
  return mean / np.linalg.norm(mean)


def test_the_loss_equals_numpy_and_padding_has_no_part():
  net = retrieval.build(CONFIG, 2)
  params, state = jax.jit(net.init)(KEY)
  # The keys' encoder is another than the queries', and the queue holds some of the same episodes.
  slow = jax.tree.map(lambda x: x + 0.1, state.slow)
  queue = Queue(units(3, 8, 3), np.array([0, 1, 2, 3, 4, 5, 6, PADDING], np.int32), jnp.int32(6))
  state = retrieval.State(slow, queue)
  latents = np.random.default_rng(0).normal(size=(10, 4, 2)).astype(np.float32)
  episodes = np.tile(np.array([1, 8, 3, PADDING], np.int32), (10, 1))
  value, (after, metrics) = jax.jit(net.loss)(params, state, latents, episodes, KEY)

  _, *crop_keys = jax.random.split(KEY, 3)
  begin, end = jnp.zeros(4, jnp.int32), jnp.full(4, 10)
  spans = [np.asarray(retrieval.crop(k, begin, end, 10, 0.1, 0.5)) for k in crop_keys]
  rows = range(4)
  q = np.stack([slow_span(params, latents[:, b], spans[0][:, b]) for b in rows])
  k = np.stack([slow_span(slow, latents[:, b], spans[1][:, b]) for b in rows])
  errors, first = retrieval.info_nce(q[:3], k[:3], episodes[0, :3], queue, 0.05)
  np.testing.assert_allclose(value, np.mean(errors), rtol=1e-3)
  np.testing.assert_allclose(metrics["retrieval_accuracy"], np.mean(first), rtol=1e-5)
  np.testing.assert_array_equal(after.episodes, [3, PADDING, 2, 3, 4, 5, 1, 8])
  np.testing.assert_allclose(after.keys[np.array([6, 7, 0, 1])], k, rtol=1e-3, atol=1e-5)


def test_the_keys_encoder_follows_by_its_momentum():
  net = retrieval.build(RetrievalConfig(retrieval_momentum=0.9), 2)
  params, state = jax.jit(net.init)(KEY)
  moved = jax.tree.map(lambda x: x + 1.0, params)
  after = net.update(state, moved, state.queue)
  for old, new in zip(jax.tree.leaves(params), jax.tree.leaves(after.slow), strict=True):
    np.testing.assert_allclose(new, old + 0.1, rtol=1e-5, atol=1e-6)


def test_search_gives_the_highest_cosines_best_first():
  net = retrieval.build(CONFIG, 2)
  params, _ = jax.jit(net.init)(KEY)
  queries, held = np.split(np.random.default_rng(0).normal(size=(14, 2)).astype(np.float32), [4])
  table = np.asarray(net.embed(params, queries)) @ np.asarray(net.embed(params, held)).T
  np.testing.assert_allclose(np.linalg.norm(net.embed(params, held), axis=-1), 1.0, rtol=1e-4)
  search = jax.jit(net.search, static_argnums=3)
  for size in (10, 6):  # of a memory that is not full, the places behind are not searched
    indices = np.asarray(search(params, queries, held, 3, size))
    found = np.take_along_axis(table, indices, axis=1)
    np.testing.assert_allclose(found, -np.sort(-table[:, :size], axis=1)[:, :3], rtol=1e-6)
    assert np.all(indices < size)


def test_recall_counts_the_nearest_that_were_found():
  indices = jnp.array([[4, 2, 9], [1, 0, 3]])
  nearest = jnp.array([[9, 2], [7, 1]])
  np.testing.assert_allclose(retrieval.recall(indices, nearest, 3), (2 / 2 + 1 / 2) / 2)
  np.testing.assert_allclose(retrieval.recall(indices, nearest, 2), (1 / 2 + 1 / 2) / 2)


def test_neighbours_on_a_ring_are_found_though_nothing_shows_that_they_are():
  """A random walk on a ring whose places look alike in nothing: only its episodes tell."""
  places, length, batch = 40, 24, 32
  config = RetrievalConfig(
    retrieval_queue=256, retrieval_momentum=0.99, retrieval_learning_rate=3e-3
  )
  net, optimiser = retrieval.build(config, 16), retrieval.optimiser(config)
  seen = jnp.asarray(units(0, places, 16)) * 4.0

  def step(carry, inputs):
    params, moments, state = carry
    update, key = inputs
    start_key, walk_key, loss_key = jax.random.split(key, 3)
    start = jax.random.randint(start_key, (batch,), 0, places)
    steps = jax.random.choice(walk_key, jnp.array([-1, 1]), (length, batch))
    walk = (start + jnp.cumsum(steps, axis=0)) % places
    episodes = jnp.broadcast_to(update * batch + jnp.arange(batch), (length, batch))
    grads, (queue, _) = jax.grad(net.loss, has_aux=True)(
      params, state, seen[walk], episodes, loss_key
    )
    updates, moments = optimiser.update(grads, moments)
    params = optax.apply_updates(params, updates)
    return (params, moments, net.update(state, params, queue)), None

  @jax.jit
  def train(key):
    params, state = net.init(key)
    carry = (params, optimiser.init(params), state)
    return jax.lax.scan(step, carry, (jnp.arange(200), jax.random.split(key, 200)))[0][0]

  gap = np.abs(np.arange(places) - np.arange(places)[:, None])
  gap = np.minimum(gap, places - gap)
  nearest = np.argsort(gap, axis=1, kind="stable")[:, :9]  # itself, and four to either side
  found = retrieval.recall(net.search(train(KEY), seen, seen, 10), nearest, 10)
  assert found > 0.6  # chance: .25


@pytest.mark.parametrize(
  ("setting", "value"),
  [
    ("retrieval_queue", 0),
    ("retrieval_momentum", 1.5),
    ("retrieval_span_min", 0.9),
    ("retrieval_temperature", 0.0),
  ],
)
def test_settings_out_of_range_are_refused_by_name(setting, value):
  with pytest.raises(ValueError, match=setting):
    RetrievalConfig(**{setting: value})
