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


class Table(NamedTuple):
  """Which episode each entry of a table belongs to, and where that begins and ends; int32 [E, L].

  Attributes:
    segments: along each row of time the episode of an entry, or `PADDING`. The entries of one
      episode stand side by side in one row; rows share no episode, whatever their numbers.
    begin: time of the episode's first entry.
    end: time after its last.
  """

  segments: jax.Array
  begin: jax.Array
  end: jax.Array


def table(segments: jax.Array) -> Table:
  """The table of segments int32 [E, L]; once for many draws."""
  length = segments.shape[1]
  time = jnp.arange(length, dtype=jnp.int32)
  differs = segments[:, 1:] != segments[:, :-1]
  starts = jnp.pad(differs, ((0, 0), (1, 0)), constant_values=True)
  stops = jnp.pad(differs, ((0, 0), (0, 1)), constant_values=True)
  begin = jax.lax.cummax(jnp.where(starts, time, 0), axis=1)
  end = jax.lax.cummin(jnp.where(stops, time + 1, length), axis=1, reverse=True)
  return Table(segments, begin, end)


def segments_of(first: jax.Array) -> jax.Array:
  """The segments int32 [B, T+1] of trajectories, where `first` [T+1, B] says that one begins."""
  return jnp.cumsum(first, axis=0, dtype=jnp.int32).T


def draw(key: jax.Array, table: Table, count: int, config: ReachabilityConfig) -> Pairs:
  """Draws pairs, positive and negative in the shares that the config asks for.

  Each is one attempt, with sources uniform over the table. It fails, and weighs 0, where it meets
  padding, where an episode has nothing outside the window, and for a negative of another row in a
  table of one row.

  Args:
    key: random.
    table: [E, L].
    count: P.
    config: the window and the shares.
  """
  segments = table.segments
  rows, length = segments.shape
  row_key, time_key, kind_key, offset_key, other_row_key, other_time_key = jax.random.split(key, 6)
  row = jax.random.randint(row_key, (count,), 0, rows)
  time = jax.random.randint(time_key, (count,), 0, length)
  episode = segments[row, time]
  begin, end = table.begin[row, time], table.end[row, time]
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


def hard_negatives(
  key: jax.Array, source: jax.Array, target: jax.Array, pairs: Pairs, candidates: int
) -> jax.Array:
  """Whose target each pair is to have, int32 [P], so that negatives are hard to tell.

  A negative of two rows takes, of its own target and others drawn from all pairs but those that
  failed, the one nearest to its source; all others keep their own. States that differ a little in
  what moves seldom, such as a puck, are else hardly ever seen side by side, and pass for neighbours
  (ours).

  Args:
    key: random.
    source: by what nearness, which is Euclidean, is judged, float32 [P, N].
    target: the same of the targets, float32 [P, N].
    pairs: P that were drawn.
    candidates: targets to choose from, its own included.
  """
  row, target_row = pairs.source[0], pairs.target[0]
  own = jnp.arange(len(row))
  others = jax.random.randint(key, (len(row), candidates - 1), 0, len(row))

  def choose(pair: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
    seen, row, choices = pair
    gap = jnp.sum(jnp.square(target[choices] - seen), axis=-1)
    out = (target_row[choices] == row) | (pairs.weight[choices] == 0.0)
    return choices[jnp.argmin(jnp.where(out, jnp.inf, gap))]

  choices = jnp.concatenate([own[:, None], others], axis=1)
  found = jax.lax.map(choose, (source, row, choices), batch_size=256)
  kept = pairs.label | (row == target_row) | (pairs.weight == 0.0)
  return jnp.where(kept, own, found)


def evened(
  place: jax.Array, label: jax.Array, weight: jax.Array, places: int, negative_share: float
) -> jax.Array:
  """Weights float32 [P] that have all places stand for as many negatives.

  A draw fails more often for a negative of another row than for a positive; what is left of both
  is brought to the shares asked for, so that a logit of 0 means what it should.

  Args:
    place: of each pair's target, int32 [P]; -1 for none.
    label: bool [P].
    weight: float32 [P], 0 for what is no pair.
    places: how many there may be.
    negative_share: of the negatives in the sum, which stays that of `weight`.
  """
  negative = weight * ~label
  # Those of no place share the last.
  counts = jnp.zeros((places + 1,), jnp.float32).at[place].add(negative)
  spread = negative / jnp.maximum(counts[place], 1.0)
  total = jnp.sum(weight)

  def scaled(part: jax.Array, share: float) -> jax.Array:
    return part * share * total / jnp.maximum(jnp.sum(part), 1e-8)

  return scaled(weight * label, 1.0 - negative_share) + scaled(spread, negative_share)
