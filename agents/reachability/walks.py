"""A ring of the random walks in the latest batches, from which training pairs are drawn.

A batch of an agent that replays holds few trajectories, and pairs of few trajectories are much
alike; so those of earlier batches are kept. A replay may draw a trajectory twice, and two that
follow each other are of one episode: a few pairs of different rows are near, and no negatives.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from dm_env import specs

from agents.reachability import pairs


class Walks(NamedTuple):
  """E trajectories with random walks in them.

  Attributes:
    views: [E, T+1, *O].
    segments: which walk of its trajectory each view is of, int32 [E, T+1]; `pairs.PADDING` outside
      of walks.
    head: int32, the place of the oldest, which goes next.
  """

  views: jax.Array
  segments: jax.Array
  head: jax.Array


def init(capacity: int, length: int, view_spec: specs.Array) -> Walks:
  """An empty ring for E = `capacity` trajectories of T = `length` steps with views [*O]."""
  return Walks(
    jnp.zeros((capacity, length + 1, *view_spec.shape), view_spec.dtype),
    jnp.full((capacity, length + 1), pairs.PADDING, jnp.int32),
    jnp.int32(0),
  )


def keep(walks: Walks, views: jax.Array, walking: jax.Array, first: jax.Array) -> Walks:
  """The ring with those of B trajectories in which there are walks.

  Args:
    walks: before; E is at least B.
    views: [T+1, B, *O].
    walking: bool [T+1, B], whether the step from there is one of a random walk.
    first: bool [T+1, B], whether an episode begins there.
  """
  capacity = len(walks.views)
  # A walk is a segment of its own: what was steered says nothing of where walks lead.
  begins = first | jnp.diff(walking, axis=0, prepend=walking[:1]).astype(bool)
  segments = jnp.where(walking.T, pairs.segments_of(begins), pairs.PADDING)
  has = jnp.any(walking, axis=0)
  place = (walks.head + jnp.cumsum(has, dtype=jnp.int32) - 1) % capacity
  place = jnp.where(has, place, capacity)  # past the end nothing is written
  return Walks(
    walks.views.at[place].set(jnp.moveaxis(views, 1, 0), mode="drop"),
    walks.segments.at[place].set(segments, mode="drop"),
    (walks.head + jnp.sum(has, dtype=jnp.int32)) % capacity,
  )
