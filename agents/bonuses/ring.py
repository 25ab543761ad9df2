"""The newest embeddings of an episode, and how near they are to another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from agents.bonuses.episodic import Episodic


class Ring(NamedTuple):
  """The memory of an episode.

  Attributes:
    embeddings: float32 [B, M, E]; only the newest min(inserted, M) are of this episode.
    inserted: int32 [B].
  """

  embeddings: jax.Array
  inserted: jax.Array


def squared_distance(one: jax.Array, other: jax.Array) -> jax.Array:
  """|x - y|^2, [...], of embeddings [..., E]."""
  return jnp.sum(jnp.square(one - other), axis=-1)


def ring(
  size: int,
  capacity: int,
  neighbours: int,
  distance: Callable[[jax.Array, jax.Array], jax.Array] = squared_distance,
) -> Episodic:
  """Memories of `capacity` embeddings of `size`; a longer episode writes over its oldest.

  Their novelty is the distances from the `neighbours` nearest, float32 [B, k], nearest first;
  infinite where the episode has not that many.

  Args:
    size: E.
    capacity: M.
    neighbours: k.
    distance: from what is held to what arrives, (embeddings [..., E], embeddings [..., E]) ->
      [...].
  """

  def initial(batch: int) -> Ring:
    shape = (batch, capacity, size)
    return Ring(jnp.zeros(shape, jnp.float32), jnp.zeros((batch,), jnp.int32))

  def restart(memory: Ring, first: jax.Array) -> Ring:
    return memory._replace(inserted=jnp.where(first, 0, memory.inserted))

  def novelty(memory: Ring, embedded: jax.Array) -> jax.Array:
    # As rlax.knn_query under vmap, which takes twice the time and knows no empty places.
    distances = distance(memory.embeddings, embedded[:, None])
    held = jnp.arange(capacity) < memory.inserted[:, None]
    return -jax.lax.top_k(-jnp.where(held, distances, jnp.inf), neighbours)[0]

  def insert(memory: Ring, embedded: jax.Array) -> Ring:
    rows = jnp.arange(embedded.shape[0])
    slot = memory.inserted % capacity
    return Ring(memory.embeddings.at[rows, slot].set(embedded), memory.inserted + 1)

  return Episodic(initial, restart, novelty, insert)
