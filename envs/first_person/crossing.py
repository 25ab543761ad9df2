"""Where rays meet the walls of a grid: no loop, no gather, one minimum.

Every line of the grid is crossed once by a ray. The crossing counts where the two cells that it
parts are not alike, wall against open; the bits of all such pairs along a line are one uint32. The
nearest one ahead is the unsigned minimum over the lines of the distance's bits: what lies behind
is negative, hence huge, and a crossing that does not count is all ones.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.scene import N

LINES = np.arange(1, N, dtype=np.float32)
FINE, COARSE = 17, 10
"""Bits of a fraction, of a place on the map (below 32) and of a row of texels (below 4096)."""
ROUND = np.float32(1.5 * 2**23)
"""Added to a float32 below 2^22 it leaves the nearest integer in the lowest bits: a conversion
would saturate, at several times the cost."""
ROUND_BITS = np.int32(0x4B400000)


class Edges(NamedTuple):
  """Which neighbours are both wall or both open, a bit each, from the highest one on.

  Attributes:
    vertical: uint32 [N - 1], of the lines x = 1 .. N - 1; bit 31 - j is of row j.
    horizontal: uint32 [N - 1], of the lines y = 1 .. N - 1; bit 31 - i is of column i.
  """

  vertical: jax.Array
  horizontal: jax.Array


def floor_bits(x: jax.Array, fraction: int = COARSE) -> jax.Array:
  """The integer below each number, int32 [...], for |x| < 2^(22 - fraction); of others one that is
  outside of these.

  What is less than half the last bit of the fraction below an integer counts as that. To take a
  half and then round would not do: the compiler adds up the two constants, and the half is lost.
  """
  bits = jax.lax.bitcast_convert_type(x * np.float32(1 << fraction) + ROUND, jnp.int32)
  return (bits - ROUND_BITS) >> fraction


def edges(solid: jax.Array) -> Edges:
  """Of the rows of a map, uint32 [N]."""
  bit = jnp.arange(N, dtype=jnp.uint32)
  cells = (solid[:, None] << bit) >> 31
  columns = (cells << (31 - bit)[:, None]).sum(0, dtype=jnp.uint32)
  return Edges(~(columns[1:] ^ columns[:-1]), ~(solid[1:] ^ solid[:-1]))


def _nearest(
  alike: jax.Array, start: jax.Array, step: jax.Array, other_start: jax.Array, other: jax.Array
) -> jax.Array:
  """Bits of the distance to the nearest line of one direction that counts, uint32 [R]."""
  distance = (LINES[:, None] - start) * (1 / step)
  along = floor_bits(other_start + distance * other, FINE)
  outside = jax.lax.shift_left(alike[:, None], along.astype(jnp.uint32)).astype(jnp.int32) >> 31
  bits = jax.lax.bitcast_convert_type(distance, jnp.uint32) | outside.astype(jnp.uint32)
  return bits.min(0)


def crossings(
  alike: Edges, x: jax.Array, y: jax.Array, ray_x: jax.Array, ray_y: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Where rays from an open place first meet a wall.

  Args:
    alike: `edges` of the map.
    x, y: where all rays begin, float32.
    ray_x, ray_y: their directions, float32 [R].

  Returns:
    The distances, in lengths of the ray, at which it first meets a line x = i and a line y = j that
    parts a wall from the open, as the bits of float32 and as uint32 [R]: the lesser one is the hit.
  """
  return (
    _nearest(alike.vertical, x, ray_x, y, ray_y),
    _nearest(alike.horizontal, y, ray_y, x, ray_x),
  )
