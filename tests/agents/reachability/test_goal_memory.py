"""The goal memory against lists, and that it is balanced where visits are not."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.reachability import goal_memory
from agents.reachability.goal_memory import GoalMemory

KEY = jax.random.key(0)
SPEC = specs.Array((2, 2), np.uint8)
CAPACITY, FEATURES = 7, 2


def logits(source, target):
  """Near is reachable, and it is easier to come up than to go down: directed."""
  step = target - source
  return 0.8 - jnp.sqrt(jnp.sum(step**2, -1)) + 0.3 * step[..., 0]


def slow_logit(source, target):
  step = target - source
  return 0.8 - np.sqrt(np.sum(step**2)) + 0.3 * step[0]


def candidates(seed, count):
  rng = np.random.default_rng(seed)
  views = rng.integers(0, 255, (count, 2, 2)).astype(np.uint8)
  return views, rng.uniform(0, 4, (count, FEATURES)).astype(np.float32)


def slow_join(held, views, features, threshold, victims):
  """Entries as a list of (view, feature)."""
  held = list(held)
  for view, x, victim in zip(views, features, victims, strict=True):
    if all(max(slow_logit(m, x), slow_logit(x, m)) < threshold for _, m in held):
      if len(held) < CAPACITY:
        held.append((view, x))
      else:
        held[victim] = (view, x)
  return held


def check(memory, held):
  assert memory.size == len(held)
  np.testing.assert_array_equal(memory.views[: len(held)], np.stack([v for v, _ in held]))
  features = np.stack([x for _, x in held])
  np.testing.assert_allclose(memory.features[: len(held)], features, rtol=1e-6)


@functools.cache
def insertion(jitted=True):
  def insert(memory, views, features, threshold, key):
    return goal_memory.insert(memory, views, features, logits, threshold, key)

  return jax.jit(insert) if jitted else insert


def filled(seed=0, count=30, threshold=0.0):
  memory = goal_memory.init(CAPACITY, SPEC, FEATURES)
  return insertion()(memory, *candidates(seed, count), threshold, KEY)


@pytest.mark.parametrize("jitted", [True, False])
def test_candidates_join_as_in_a_slow_version(jitted):
  memory, held = goal_memory.init(CAPACITY, SPEC, FEATURES), []
  for batch in range(3):
    views, features = candidates(batch, 30)
    key = jax.random.fold_in(KEY, batch)
    memory = insertion(jitted)(memory, views, features, 0.0, key)
    victims = np.asarray(jax.random.randint(key, (30,), 0, CAPACITY))
    held = slow_join(held, views, features, 0.0, victims)
  assert len(held) == CAPACITY
  check(memory, held)


def test_novelty_is_asked_in_both_directions():
  """From b up to a there is a way, from a down to b there is none: either comes alone."""
  a, b = np.float32([[1.0, 0.0]]), np.float32([[0.0, 0.0]])
  assert slow_logit(b[0], a[0]) > 0 > slow_logit(a[0], b[0])
  view = np.zeros((1, 2, 2), np.uint8)
  for first, second in ((a, b), (b, a)):
    memory = goal_memory.init(CAPACITY, SPEC, FEATURES)
    for x in (first, second):
      memory = insertion()(memory, view, x, 0.0, KEY)
    assert memory.size == 1


def test_every_place_of_a_full_memory_is_replaced_in_time():
  memory = filled(threshold=9.0)
  views, features = candidates(1, 100)
  after = insertion()(memory, views, features, 9.0, KEY)
  assert after.size == CAPACITY
  assert np.all(np.any(after.features != memory.features, axis=1))


@functools.cache
def refreshing(scale, jitted=True):
  def refresh(memory):
    return goal_memory.refresh(memory, lambda v: scale * moved(v), logits, 0.0)

  return jax.jit(refresh) if jitted else refresh


def moved(views):
  return jnp.asarray(views, jnp.float32)[:, 0] / 255.0


@pytest.mark.parametrize("jitted", [True, False])
def test_a_refresh_encodes_again_and_drops_what_an_earlier_entry_reaches(jitted):
  memory = filled(threshold=9.0)
  after = refreshing(2.5, jitted)(memory)
  views = np.asarray(memory.views)
  features = np.asarray(2.5 * moved(views))
  held = slow_join([], views, features, 0.0, np.zeros(CAPACITY, int))
  assert 1 < len(held) < CAPACITY
  check(after, held)


def test_a_refresh_by_the_same_network_changes_nothing():
  memory = filled()._replace(views=candidates(3, CAPACITY)[0])
  memory = memory._replace(size=jnp.int32(4))
  once = refreshing(50.0)(memory)
  twice = refreshing(50.0)(once)
  assert once.size == 4
  jax.tree.map(np.testing.assert_array_equal, once, twice)


def test_those_that_are_not_allowed_do_not_join():
  views, features = candidates(3, 8)
  allowed = np.random.default_rng(4).random(8) < 0.5
  empty = goal_memory.init(CAPACITY, SPEC, FEATURES)
  some = goal_memory.insert(empty, views, features, logits, 0.0, KEY, jnp.asarray(allowed))
  alone = goal_memory.insert(empty, views[allowed], features[allowed], logits, 0.0, KEY)
  assert 0 < some.size == alone.size
  np.testing.assert_array_equal(some.views, alone.views)


@functools.cache
def searching(direction):
  return jax.jit(lambda m, x: goal_memory.nearest(m, x, logits, direction, block=4))


@pytest.mark.parametrize("direction", ["into", "out_of"])
def test_the_nearest_entry_is_that_of_a_slow_search(direction):
  memory = filled()
  memory = memory._replace(size=memory.size - 1)  # the last is no longer held
  held = np.asarray(memory.features)[: int(memory.size)]
  queries = candidates(5, 11)[1]
  slow = [
    np.argmax([slow_logit(x, m) if direction == "out_of" else slow_logit(m, x) for m in held])
    for x in queries
  ]
  indices = searching(direction)(memory, queries)
  assert indices.dtype == np.int32
  np.testing.assert_array_equal(indices, slow)


def test_nothing_is_nearest_in_an_empty_memory():
  memory = goal_memory.init(CAPACITY, SPEC, FEATURES)
  assert np.all(np.asarray(searching("into")(memory, candidates(5, 11)[1])) == -1)


def test_rooms_are_held_by_their_area_and_not_by_their_visits():
  """Four rooms of 5 by 5, of which one has 97% of the visits; what is within 1 is reachable."""
  rng = np.random.default_rng(0)
  count = 40000
  room = rng.choice(4, count, p=[0.97, 0.01, 0.01, 0.01])
  place = rng.uniform(0, 5, (count, 2)) + 6.0 * np.stack([room % 2, room // 2], -1)
  place = jnp.asarray(place, jnp.float32)

  @jax.jit
  def build(place):
    memory = goal_memory.init(200, specs.Array((2,), np.float32), 2)

    def near(a, b):
      return 1.0 - jnp.sqrt(jnp.sum((a - b) ** 2, -1))

    return goal_memory.insert(memory, place, place, near, 0.0, KEY)

  memory: GoalMemory = build(place)
  held = np.asarray(memory.views)[: int(memory.size)] > 5.5
  entries = np.bincount(held[:, 0] + 2 * held[:, 1], minlength=4)
  assert entries.sum() < 200
  assert entries.min() / entries.max() > 0.7
