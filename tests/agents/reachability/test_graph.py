"""The graph over a goal memory against loops and SciPy."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse.csgraph as csgraph
from hypothesis import strategies as st

from agents.reachability import graph

SIZE = 7
shortest = jax.jit(graph.shortest)


@jax.jit
def refresh(known, order, size):
  return graph.measure(graph.reorder(known, order, size), size)


@hypothesis.given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.6))
@hypothesis.settings(max_examples=40)
def test_the_shortest_ways_are_scipys(seed, share):
  edges = np.random.default_rng(seed).random((SIZE, SIZE)) < share
  slow = csgraph.shortest_path(np.where(edges, 1.0, 0.0), unweighted=True)
  np.testing.assert_array_equal(shortest(edges), np.where(np.isinf(slow), SIZE, slow))


def steps(seed, length=5, batch=3):
  rng = np.random.default_rng(seed)
  into, out_of = rng.integers(-1, SIZE, (2, length + 1, batch))
  return into, out_of, rng.random((length, batch)) < 0.8


def test_a_step_shows_three_edges_and_none_where_an_episode_ends():
  into, out_of, real = steps(0)
  counts = np.zeros((SIZE, SIZE))

  def count(i, j):
    if i >= 0 and j >= 0:
      counts[i, j] += 1

  for t in range(len(into)):
    for b in range(into.shape[1]):
      count(into[t, b], out_of[t, b])
      if t < len(real) and real[t, b]:
        count(into[t, b], out_of[t + 1, b])
  empty = graph.init(SIZE)
  for add in (graph.add, jax.jit(graph.add)):
    np.testing.assert_array_equal(add(empty, into, out_of, real).weights, counts)


def test_edges_move_with_their_entries_and_go_where_they_are_not_seen_again():
  weights = jnp.zeros((4, 4)).at[0, 1].set(1.0).at[1, 2].set(1.0).at[3, 0].set(1.0)
  held = refresh(graph.init(4)._replace(weights=weights), jnp.array([3, 0, 1, 2]), jnp.int32(4))
  # Entry 3 is now the first, and leads to 0, which leads to 1, which leads to 2.
  np.testing.assert_array_equal(held.distance[0], [0, 1, 2, 3])
  # Where no way leads it is one more than the longest.
  np.testing.assert_array_equal(held.distance[3], [4, 4, 4, 0])
  assert held.linked == 10 / 16
  # Seen again, it stays; else it goes at the next.
  seen = held._replace(weights=held.weights.at[1, 2].add(1.0))
  left = refresh(seen, jnp.arange(4), jnp.int32(4))
  assert left.distance[1, 2] == 1
  assert left.linked == 5 / 16


def test_entries_that_are_gone_are_left_out():
  full = graph.init(3)._replace(weights=jnp.ones((3, 3)))
  held = refresh(full, jnp.array([2, 0, 0]), jnp.int32(2))
  assert not held.weights[2].any()
  assert not held.weights[:, 2].any()
  assert held.linked == 1.0


def test_what_an_entry_stood_for_is_forgotten_when_it_is_replaced():
  full = graph.init(3)._replace(weights=jnp.ones((3, 3)))
  left = graph.forget(full, jnp.array([False, True, False])).weights
  np.testing.assert_array_equal(left, [[1, 0, 1], [0, 0, 0], [1, 0, 1]])
