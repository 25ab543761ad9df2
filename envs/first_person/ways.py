"""Shortest ways over the cells of a map: a flood in the bits of one number a row."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.scene import N, cell_at

LONGEST = 160
"""Cells of the longest way."""
_COLUMN = 31 - np.arange(N, dtype=np.uint32)


def cells_of(x: jax.Array, y: jax.Array, on: jax.Array) -> jax.Array:
  """The cells of places as bits, uint32 [17]."""
  row, column = jnp.floor(y).astype(jnp.int32), jnp.floor(x).astype(jnp.int32)
  bit = jnp.where(on, jnp.uint32(1) << (31 - column).astype(jnp.uint32), 0).astype(jnp.uint32)
  parts = jnp.where(row == np.arange(N)[:, None], bit, jnp.uint32(0))
  return jax.lax.reduce(parts, np.uint32(0), jax.lax.bitwise_or, (1,))


def _spread(cells: jax.Array, free: jax.Array) -> jax.Array:
  """Cells and those that one step leads to, by sides and where both sides are free by corners."""
  beside = (cells << 1 | cells >> 1) & free
  none = jnp.zeros((1,), jnp.uint32)

  def up(rows: jax.Array) -> jax.Array:
    return jnp.concatenate([rows[1:], none])

  def down(rows: jax.Array) -> jax.Array:
    return jnp.concatenate([none, rows[:-1]])

  above, below = up(cells) & free, down(cells) & free
  # A corner is cut only where both cells beside it are free.
  free_left, free_right = free >> 1, free << 1
  corners = jnp.uint32(0)
  for other, free_there in ((up(cells), up(free)), (down(cells), down(free))):
    corners |= (other >> 1) & free_left & (free_there) & free
    corners |= (other << 1) & free_right & (free_there) & free
  return cells | beside | above | below | corners


class _Flood(NamedTuple):
  reached: jax.Array
  before: jax.Array
  steps: jax.Array


def next_cell(free: jax.Array, targets: jax.Array, here: jax.Array) -> tuple[jax.Array, jax.Array]:
  """The next cell on a shortest way to the nearest target.

  Args:
    free: cells that can be crossed, uint32 [17]; the target's may be others.
    targets: uint32 [17].
    here: number of the cell where one is, int32.

  Returns:
    The number of the cell, `here` if it is a target or none can be reached; whether one can be.
  """
  row, column = jnp.divmod(here, N)
  start = cells_of(column + 0.5, row + 0.5, jnp.bool_(True)[None])

  def far(flood: _Flood) -> jax.Array:
    grows = (flood.reached != flood.before).any() | (flood.steps == 0)
    return ~cell_at(flood.reached, row, column) & grows & (flood.steps < LONGEST)

  def grow(flood: _Flood) -> _Flood:
    return _Flood(_spread(flood.reached, free | start), flood.reached, flood.steps + 1)

  zero = jnp.zeros_like(targets)
  flood = jax.lax.while_loop(far, grow, _Flood(targets, zero, jnp.int32(0)))
  found = cell_at(flood.reached, row, column)
  # Of the cells that one step leads to, one that was reached a step before: by a side if it can be.
  candidates = _spread(start, free | targets) & flood.before
  sides = candidates & _plus(start)
  candidates = jnp.where((sides != 0).any(), sides, candidates)
  bits = (candidates[:, None] >> _COLUMN & 1).reshape(-1)
  moves = found & (flood.steps > 0) & (bits != 0).any()
  return jnp.where(moves, jnp.argmax(bits).astype(jnp.int32), here), found


def _plus(start: jax.Array) -> jax.Array:
  none = jnp.zeros((1,), jnp.uint32)
  rows = jnp.concatenate([start[1:], none]) | jnp.concatenate([none, start[:-1]])
  return start << 1 | start >> 1 | rows
