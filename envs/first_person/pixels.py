"""The pixels of a picture: floor and ceiling, then everything else in one kernel.

Every pixel is a uint32, depth byte above colour, and every thing is drawn by one unsigned minimum,
in any order: it is the test of depth and the blend at once. NONE is what draws nothing.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from envs.first_person.columns import (
  GROUND,
  Blocks,
  Cards,
  Rays,
  View,
  Wall,
  darken,
  depth_byte,
  light,
)
from envs.first_person.crossing import FINE, floor_bits
from envs.first_person.scene import Camera, N, Scene

SIDE = 32
"""Cells of a row of the floor in memory; a power of two, so that an index is bits side by side."""


def row_depth(camera: Camera, view: View) -> tuple[jax.Array, jax.Array]:
  """How far the floor or the ceiling is in each row, and whether it is the floor, [H] both."""
  below = jnp.arange(view.height, dtype=jnp.float32) + 0.5 - view.horizon
  is_floor = below > 0
  height = jnp.where(is_floor, camera.z, 1 - camera.z)
  return height * view.focal / jnp.maximum(jnp.abs(below), 1e-3), is_floor


def ground(scene: Scene, camera: Camera, view: View, rays: Rays) -> jax.Array:
  """Floor and ceiling, uint32 [H, W]."""
  depth, is_floor = row_depth(camera, view)
  x = floor_bits(camera.x + depth[:, None] * rays.x, FINE)
  y = floor_bits(camera.y + depth[:, None] * rays.y, FINE)
  cells = jnp.pad(scene.floor, ((0, SIDE - N), (0, SIDE - N))).reshape(-1)
  index = (y & SIDE - 1) << 5 | (x & SIDE - 1)
  colour = jnp.where(
    is_floor[:, None], cells.at[index].get(mode="promise_in_bounds"), scene.ceiling
  )
  if view.lit:
    colour = darken(colour, light(depth_byte(depth))[:, None])
  return jnp.uint32(GROUND << 24) | colour


def _mask(bit: jax.Array) -> jax.Array:
  """All ones where the lowest bit is set, else 0."""
  return -(bit & 1).astype(jnp.int32).astype(jnp.uint32)


def _strip(
  row: jax.Array,
  word: jax.Array,
  scale: jax.Array,
  offset: jax.Array,
  colour: jax.Array,
  other: jax.Array,
) -> jax.Array:
  """A pattern over rows [H, 1], uint32 [H, W]; outside of it the shift leaves nothing."""
  texel = floor_bits(row * scale + offset).astype(jnp.uint32)
  shown = jax.lax.shift_right_logical(
    *jnp.broadcast_arrays(word, texel << 1),
  )
  return (colour ^ (_mask(shown >> 1) & other)) | ~_mask(shown)


def draw(base: jax.Array, wall: Wall, cards: Cards, blocks: Blocks) -> jax.Array:
  """Draws the wall, billboards and boxes over floor and ceiling, uint32 [H, W]."""
  row = jnp.arange(base.shape[0], dtype=jnp.int32)[:, None]
  y = row.astype(jnp.float32)
  image = jnp.minimum(base, _strip(y, *wall))
  for k in range(cards.word.shape[0]):
    image = jnp.minimum(image, _strip(y, *(part[k] for part in cards)))
  for k in range(blocks.top.shape[0]):
    top, bottom, side_top, side_bottom, side, cap = (part[k] for part in blocks)
    in_side = (row >= side_top) & (row < side_bottom)
    seen = (row >= top) & (row < bottom)
    image = jnp.minimum(
      image, jnp.where(seen, jnp.where(in_side, side, cap), jnp.uint32(0xFFFFFFFF))
    )
  return image


def pack(image: jax.Array) -> jax.Array:
  """The three bytes of each pixel's colour, uint8 [H, W, 3]."""
  return jax.lax.bitcast_convert_type(image, jnp.uint8)[..., :3]
