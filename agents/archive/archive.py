"""An archive of cells: of each, the best way that was found to it, in a bounded number of slots.

A cell is a code. What comes to a cell with a higher score, or with the same in fewer steps, takes
its place (Ecoffet et al. 2019, arXiv 1901.10995, section 2.1.4); and the cell's visits are then
counted anew (`reset_cell_on_update` of github.com/uber-research/go-explore, as in its runs of
Atari). Cells are gone back to with a chance proportional to 1 / sqrt(visits + 1) (Ecoffet et al.
2021, Nature 590:580, arXiv 2004.12919, methods). There the archive has no bound; here a new cell
takes an empty slot and, where there is none, that of the most visited cell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

NO_CODE = 0xFFFFFFFF


class Archive(NamedTuple):
  """Cells in C slots.

  Attributes:
    code: uint32 [C].
    filled: bool [C], which slots hold a cell.
    visits: int32 [C], since the cell was reached in a better way.
    score: float32 [C], the return on the way to it.
    length: int32 [C], steps of that way.
    promise: float32 [C], what a bonus paid for the latest arrivals.
    kept: what is kept of the best arrival, arrays [C, ...].
    replaced: int32, cells that gave way to others so far.
  """

  code: jax.Array
  filled: jax.Array
  visits: jax.Array
  score: jax.Array
  length: jax.Array
  promise: jax.Array
  kept: Any
  replaced: jax.Array


class Arrivals(NamedTuple):
  """N arrivals at cells, in the order of time, arrays [N].

  Attributes:
    code: uint32.
    score, length, promise: as of `Archive`.
    valid: bool, which there are; the others are as if they had not been.
    counts: bool, which are visits.
  """

  code: jax.Array
  score: jax.Array
  length: jax.Array
  promise: jax.Array
  valid: jax.Array
  counts: jax.Array


class Change(NamedTuple):
  """What an insertion did to slots, bool [C]: now another cell's, or reached in a better way."""

  new: jax.Array
  better: jax.Array


def init(capacity: int, example: Any) -> Archive:
  """An empty archive; `example` is what is kept of one arrival, arrays without an axis of slots."""
  zeros = jnp.zeros(capacity, jnp.int32)
  return Archive(
    jnp.zeros(capacity, jnp.uint32),
    jnp.zeros(capacity, bool),
    zeros,
    zeros.astype(jnp.float32),
    zeros,
    zeros.astype(jnp.float32),
    jax.tree.map(lambda x: jnp.broadcast_to(x, (capacity, *x.shape)), example),
    jnp.int32(0),
  )


def find(archive: Archive, code: jax.Array) -> tuple[jax.Array, jax.Array]:
  """The slots int32 [N] of cells uint32 [N], and whether they are there, bool [N]."""
  capacity = archive.code.shape[0]
  codes = jnp.where(archive.filled, archive.code, jnp.uint32(NO_CODE))
  slots = jnp.arange(capacity, dtype=jnp.int32)
  codes, empty, slots = jax.lax.sort((codes, ~archive.filled, slots), num_keys=2)
  at = jnp.minimum(jnp.searchsorted(codes, code), capacity - 1)
  return slots[at], (codes[at] == code) & ~empty[at]


def insert(
  archive: Archive, arrivals: Arrivals, keep: Callable[[jax.Array], Any]
) -> tuple[Archive, Change]:
  """The archive after N arrivals; of those at one cell the best counts, the earliest of equals.

  New cells are placed in the order of their codes: in the empty slots, from the first on, then in
  those of the most visited cells, as they are after these arrivals. New cells for which no slot is
  left are dropped.

  Args:
    archive: before them.
    arrivals: [N].
    keep: int32 [N], numbers of arrivals -> what is kept of them, arrays [N, ...].
  """
  capacity, count = archive.code.shape[0], arrivals.code.shape[0]
  keys = (~arrivals.valid, arrivals.code, -arrivals.score, arrivals.length)
  numbers = jnp.arange(count, dtype=jnp.int32)
  *_, order = jax.lax.sort((*keys, numbers), num_keys=5)
  code, score, length, promise, valid, counts = jax.tree.map(lambda x: x[order], arrivals)
  heads = valid & ((numbers == 0) | (code != jnp.roll(code, 1)))
  group = jnp.cumsum(heads) - 1
  total = jax.ops.segment_sum((counts & valid).astype(jnp.int32), group, count)[group]
  said = jax.ops.segment_max(jnp.where(valid, promise, -jnp.inf), group, count)[group]

  slot, known = find(archive, code)
  old, added = heads & known, heads & ~known
  better = old & (
    (score > archive.score[slot])
    | ((score == archive.score[slot]) & (length < archive.length[slot]))
  )
  at = jnp.where(old, slot, capacity)
  visits = archive.visits.at[at].add(total, mode="drop")
  visits = visits.at[jnp.where(better, slot, capacity)].set(0, mode="drop")
  promise_of = archive.promise.at[at].set(said, mode="drop")

  slots = jnp.arange(capacity, dtype=jnp.int32)
  *_, room = jax.lax.sort((archive.filled, -visits * archive.filled, slots), num_keys=3)
  rank = jnp.cumsum(added) - 1
  added &= rank < capacity
  new_slot = jnp.where(added, room[jnp.clip(rank, 0, capacity - 1)], capacity)
  new = jnp.zeros(capacity, bool).at[new_slot].set(True, mode="drop")
  better &= ~new[slot]
  target = jnp.where(better, slot, new_slot)

  def put(old: jax.Array, values: Any) -> jax.Array:
    return old.at[target].set(values, mode="drop")

  changed = jnp.zeros(capacity, bool).at[jnp.where(better, slot, capacity)].set(True, mode="drop")
  after = Archive(
    put(archive.code, code),
    archive.filled | new,
    put(visits, 0),
    put(archive.score, score),
    put(archive.length, length),
    put(promise_of, said),
    jax.tree.map(put, archive.kept, keep(order)),
    archive.replaced + jnp.sum(new & archive.filled, dtype=jnp.int32),
  )
  return after, Change(new, changed)


def weights(archive: Archive, by: str) -> jax.Array:
  """How often each slot is to be gone back to, float32 [C], not normalised; `by` visits, by what
  the bonus promises, or by both."""
  rarity = jax.lax.rsqrt(archive.visits + 1.0)
  # Never nothing: what the bonus has forgotten may be gone back to where there is nothing else.
  promise = jnp.maximum(archive.promise, 0.0) + 1e-6
  chosen = {"visits": rarity, "bonus": promise, "both": rarity * promise}[by]
  return jnp.where(archive.filled, chosen, 0.0)


def choose(weights: jax.Array, count: int, key: jax.Array) -> jax.Array:
  """So many numbers of `weights` [C], each drawn by its share of them; int32 [count]."""
  total = jnp.cumsum(weights)
  u = jax.random.uniform(key, (count,)) * total[-1]
  u = jnp.minimum(u, jnp.nextafter(total[-1], jnp.float32(0)))
  at = jnp.searchsorted(total, u, side="right")
  return jnp.clip(at, 0, weights.shape[0] - 1).astype(jnp.int32)
