"""The graph over a goal memory: what walks have shown to follow on what, and how far all is apart.

A step x_t -> x_{t+1} shows three edges, in(x_t) -> out(x_t), in(x_{t+1}) -> out(x_{t+1}) and
in(x_t) -> out(x_{t+1}), where in(x) is the entry that reaches x best, and out(x) the one that x
reaches best.
Source: Mezghani et al. 2023, GO-FRESH (arXiv 2301.02099), section 4.3. Ours: edges seen while the
network learns are weighed down by `DECAY` at every refresh, so that what an older network believed
is forgotten.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

DECAY = 0.5
"""What the weight of an edge is multiplied by at a refresh."""
LEAST = 0.5
"""The weight from which on an edge counts: seen once, at that refresh and the next."""


class Graph(NamedTuple):
  """Directed edges between M entries.

  Attributes:
    weights: how often each edge was seen, of late, float32 [M, M].
    distance: edges on the shortest way, float32 [M, M]; where none leads, one more than on the
      longest that does, so that what is not known yet to hang together pays no more than that.
    linked: share of the pairs of entries between which a way leads.
  """

  weights: jax.Array
  distance: jax.Array
  linked: jax.Array


def init(capacity: int) -> Graph:
  """No edges, and everything one apart."""
  nothing = jnp.zeros((capacity, capacity), jnp.float32)
  return Graph(nothing, 1 - jnp.eye(capacity), jnp.float32(0.0))


def add(graph: Graph, into: jax.Array, out_of: jax.Array, mask: jax.Array) -> Graph:
  """The graph after more steps.

  Args:
    graph: before.
    into: int32 [T+1, B], the entry that reaches each state best; -1 for none.
    out_of: int32 [T+1, B], the entry that each state reaches best; -1 for none.
    mask: bool [T, B], whether t -> t+1 lies inside a walk.
  """

  def count(weights: jax.Array, start: jax.Array, end: jax.Array, mask: jax.Array) -> jax.Array:
    start = jnp.where(mask & (start >= 0) & (end >= 0), start, len(weights))
    return weights.at[start, end].add(1.0, mode="drop")

  weights = count(graph.weights, into, out_of, jnp.ones(into.shape, bool))
  return graph._replace(weights=count(weights, into[:-1], out_of[1:], mask))


def visits(graph: Graph) -> jax.Array:
  """Weight of the edges out of each entry, about twice the states of late walks there, [M]."""
  return jnp.sum(graph.weights, axis=1)


def forget(graph: Graph, entries: jax.Array) -> Graph:
  """The graph without the edges of `entries` bool [M], which stand for something new."""
  gone = entries[:, None] | entries[None]
  return graph._replace(weights=jnp.where(gone, 0.0, graph.weights))


def reorder(graph: Graph, order: jax.Array, size: jax.Array) -> Graph:
  """The graph after its entries moved, with old edges weighed down.

  Args:
    graph: before.
    order: int32 [M], of the first `size`, which entry each was.
    size: int32, entries held.
  """
  held = jnp.arange(len(order)) < size
  held = held[:, None] & held[None]
  return graph._replace(weights=graph.weights[order][:, order] * held * DECAY)


def measure(graph: Graph, size: jax.Array) -> Graph:
  """The graph with its distances made anew, over the `size` entries held."""
  capacity = len(graph.weights)
  held = jnp.arange(capacity) < size
  held = held[:, None] & held[None]
  distance = shortest(graph.weights >= LEAST)
  linked = held & (distance < capacity)
  longest = jnp.max(jnp.where(linked, distance, 0.0))
  share = jnp.sum(linked) / jnp.maximum(jnp.sum(held), 1)
  return Graph(graph.weights, jnp.where(linked, distance, longest + 1), share)


def shortest(edges: jax.Array) -> jax.Array:
  """Edges on the shortest way between all entries (Floyd 1962), float32 [M, M].

  Where no way leads it is M, the length that no way has.

  Args:
    edges: bool [M, M], from row to column.
  """
  size = len(edges)
  start = jnp.where(edges, 1.0, jnp.float32(size)) * (1 - jnp.eye(size))

  def through(k: jax.Array, distance: jax.Array) -> jax.Array:
    return jnp.minimum(distance, distance[:, k, None] + distance[None, k])

  return jax.lax.fori_loop(0, size, through, start)
