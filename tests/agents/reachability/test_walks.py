"""The ring of random walks against lists."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.reachability import walks
from agents.reachability.pairs import PADDING

LENGTH, BATCH, CAPACITY = 4, 3, 5


def batch(seed):
  rng = np.random.default_rng(seed)
  shape = (LENGTH + 1, BATCH)
  walking = (rng.random(shape) < 0.6) & (rng.random(BATCH) < 0.7)
  return rng.normal(size=(*shape, 2)).astype(np.float32), walking, rng.random(shape) < 0.2


@pytest.mark.parametrize("keep", [walks.keep, jax.jit(walks.keep)])
def test_it_holds_the_latest_trajectories_that_walk_and_nothing_else_of_them(keep):
  ring, kept = walks.init(CAPACITY, LENGTH, specs.Array((2,), np.float32)), []
  for seed in range(6):
    views, walking, first = batch(seed)
    ring = keep(ring, *map(jnp.asarray, (views, walking, first)))
    for b in range(BATCH):
      if walking[:, b].any():
        kept.append((views[:, b], walking[:, b], first[:, b]))
  assert len(kept) > CAPACITY
  for number, (views, walking, first) in list(enumerate(kept))[-CAPACITY:]:
    place = number % CAPACITY
    np.testing.assert_array_equal(ring.views[place], views)
    segments = np.asarray(ring.segments[place])
    np.testing.assert_array_equal(segments != PADDING, walking)
    for t in range(1, LENGTH + 1):
      if walking[t] and walking[t - 1]:
        assert (segments[t] == segments[t - 1]) == (not first[t])


def test_walks_of_one_trajectory_with_a_goal_between_them_are_two():
  walking = jnp.array([1, 1, 0, 1, 1], bool)[:, None]
  ring = walks.init(1, LENGTH, specs.Array((), np.float32))
  ring = walks.keep(ring, jnp.arange(5.0)[:, None], walking, jnp.zeros((5, 1), bool))
  first, same, between, second, _ = np.asarray(ring.segments[0])
  assert first == same != second
  assert between == PADDING
