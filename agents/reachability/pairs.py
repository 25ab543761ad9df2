"""Pairs of states that train the reachability network, drawn from episodes.

A pair (a, b) is positive where b follows a by 0 to w steps in one episode, uniform over what of
that window the episode has. Negatives are of two kinds: states of a's episode outside the window,
too far ahead or before a, which is what makes the network directed; and states of another row.
Source: Mezghani et al. 2023, GO-FRESH (arXiv 2301.02099), and its code.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from agents.reachability.network import ReachabilityConfig

PADDING = -1
"""The segment of entries that belong to no episode."""


class Pairs(NamedTuple):
  """P pairs of entries of a table [E, L].

  Attributes:
    source: int32 [2, P], rows and times, so that `table[tuple(source)]` is [P, ...].
    target: int32 [2, P].
    label: bool [P], whether the target follows within the window.
    weight: float32 [P], 1, or 0 where no such pair was found: its label means nothing.
  """

  source: jax.Array
  target: jax.Array
  label: jax.Array
  weight: jax.Array


def segments_of(first: jax.Array) -> jax.Array:
  """The segments int32 [B, T+1] of trajectories, where `first` [T+1, B] says that one begins."""
  return jnp.cumsum(first, axis=0, dtype=jnp.int32).T


def draw(key: jax.Array, segments: jax.Array, count: int, config: ReachabilityConfig) -> Pairs:
  """Draws pairs, positive and negative in the shares that the config asks for.

  Each is one attempt, with sources uniform over the table. It fails, and weighs 0, where it meets
  padding, where an episode has nothing outside the window, and for a negative of another row in a
  table of one row.

  Args:
    key: random.
    segments: int32 [E, L], along each row of time the episode that an entry belongs to, or
      `PADDING`. The entries of one episode stand side by side in one row; rows share no episode,
      whatever their numbers.
    count: P.
    config: the window and the shares.
  """
  rows, length = segments.shape
  row_key, time_key, kind_key, offset_key, other_row_key, other_time_key = jax.random.split(key, 6)
  row = jax.random.randint(row_key, (count,), 0, rows)
  time = jax.random.randint(time_key, (count,), 0, length)
  episode = segments[row, time]
  inside = segments[row] == episode[:, None]
  begin = jnp.argmax(inside, axis=1).astype(jnp.int32)
  end = begin + jnp.sum(inside, axis=1, dtype=jnp.int32)
  beyond = jnp.minimum(time + config.reach_window + 1, end)

  negative, same = jax.random.uniform(kind_key, (2, count))
  positive = negative >= config.reach_negative_share
  same_episode = positive | (same < config.reach_same_share)

  before, after = time - begin, end - beyond
  choices = jnp.where(positive, beyond - time, before + after)
  offset = jax.random.randint(offset_key, (count,), 0, jnp.maximum(choices, 1))
  outside = jnp.where(offset < before, begin + offset, beyond + offset - before)
  near_time = jnp.where(positive, time + offset, outside)

  away = jax.random.randint(other_row_key, (count,), 1, max(rows, 2))
  other_row = (row + away) % rows
  other_time = jax.random.randint(other_time_key, (count,), 0, length)
  elsewhere = (other_row != row) & (segments[other_row, other_time] != PADDING)

  valid = (episode != PADDING) & jnp.where(same_episode, choices > 0, elsewhere)
  target_row = jnp.where(same_episode, row, other_row)
  target_time = jnp.where(same_episode, near_time, other_time)
  return Pairs(
    jnp.stack([row, time]),
    # A failed attempt may point past the end of its row.
    jnp.stack([target_row, jnp.minimum(target_time, length - 1)]),
    positive,
    valid.astype(jnp.float32),
  )
