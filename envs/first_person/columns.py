"""What fills each column of a picture: its wall, billboards and boxes, as few numbers each.

Everything here is small, [things, W] or [W]; `envs.first_person.pixels` makes the rows of it. The
row at which height z appears at depth t is horizon + (eye - z) F / t, F being half the width: a
field of view of 90 degrees. A row is measured from the upper edge of the picture.

A colour carries its depth in the highest byte, see `depth_byte`; the unsigned minimum of two such
numbers is the nearer one.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from envs.first_person.crossing import FINE, floor_bits
from envs.first_person.scene import TEXELS, Atlas, Boxes, Camera, N, Scene

NEAR = 1 / 8
"""Nothing nearer than this is drawn, cells. A body's radius keeps walls farther off."""
NEAR_BITS = 0x3E000000 >> 18
FARTHEST, WALL, GROUND = 253, 254, 255
"""Depth bytes of the farthest thing, of walls and of floor and ceiling. A column has one wall, and
what that hides is left out; so nothing that is there may lose to it, however close to it it is."""
EVERY = 0xFF
BRIGHT, DIM, SHADED = 300, 13, 12
"""Light is 300 less the depth byte, in 256ths, at most 255; of a side that faces north or south
13/16, of a wall's second tone 12/16."""


class View(NamedTuple):
  """What all columns of a picture share; constants are Python's.

  Attributes:
    height, width: pixels.
    focal: F, pixels.
    horizon: row of the horizon, float32.
    lit: whether colours darken with distance; not so where they are numbers of things.
  """

  height: int
  width: int
  focal: float
  horizon: jax.Array
  lit: bool


class Rays(NamedTuple):
  """The rays of the columns, of unit length along the heading: distances are depths.

  Attributes:
    k: how far to the right they go, float32 [W].
    x, y: direction, float32 [W].
  """

  k: jax.Array
  x: jax.Array
  y: jax.Array


class Wall(NamedTuple):
  """A wall in each column: `word` is a column of its pattern, of which row r of the picture shows
  texel scale r + offset, in `colour` or, of the second tone, in colour ^ other. All are [W]."""

  word: jax.Array
  scale: jax.Array
  offset: jax.Array
  colour: jax.Array
  other: jax.Array


class Cards(NamedTuple):
  """Billboards as `Wall`s: `word` is uint32 [K, W], 0 where one is hidden; the rest are [K]."""

  word: jax.Array
  scale: jax.Array
  offset: jax.Array
  colour: jax.Array
  other: jax.Array


class Blocks(NamedTuple):
  """Boxes: rows from `top` and before `bottom` are seen, of which those from `side_top` and before
  `side_bottom` are of the upright side, the others of the cap. All are [K, W]."""

  top: jax.Array
  bottom: jax.Array
  side_top: jax.Array
  side_bottom: jax.Array
  side: jax.Array
  cap: jax.Array


def view_of(camera: Camera, height: int, width: int, lit: bool) -> View:
  focal = width / 2
  return View(height, width, focal, height / 2 + focal * camera.pitch, lit)


def rays_of(camera: Camera, width: int) -> Rays:
  k = (jnp.arange(width, dtype=jnp.float32) + (0.5 - width / 2)) / (width / 2)

  def apart_from_zero(ray: jax.Array) -> jax.Array:
    return jnp.where(jnp.abs(ray) < 1e-6, 1e-6, ray)

  x = apart_from_zero(camera.cos - camera.sin * k)
  y = apart_from_zero(camera.sin + camera.cos * k)
  return Rays(k, x, y)


def bits_of(depth: jax.Array) -> jax.Array:
  return jax.lax.bitcast_convert_type(depth, jnp.uint32)


def depth_byte(depth: jax.Array) -> jax.Array:
  """Depths from 1/8 to 32 cells in 32 steps an octave, uint32 0 to 253."""
  steps = (jax.lax.bitcast_convert_type(depth, jnp.int32) >> 18) - NEAR_BITS
  return jnp.clip(steps, 0, FARTHEST).astype(jnp.uint32)


def light(byte: jax.Array) -> jax.Array:
  """How bright a thing of a depth byte is, in 256ths, uint32."""
  return jnp.minimum(BRIGHT - byte, EVERY)


def darken(colour: jax.Array, share: jax.Array) -> jax.Array:
  """A colour times a share in 256ths."""
  odd = (colour & 0xFF00FF) * share >> 8 & 0xFF00FF
  return odd | ((colour & 0x00FF00) * share >> 8 & 0x00FF00)


def shade(colour: jax.Array, byte: jax.Array, sixteenths: jax.Array | int, lit: bool) -> jax.Array:
  """A colour as it looks at a depth."""
  return darken(colour, light(byte) * jnp.uint32(sixteenths) >> 4) if lit else colour


def paint(colour: jax.Array, byte: jax.Array, sixteenths: jax.Array | int, lit: bool) -> jax.Array:
  """A colour at a depth, with that depth in its highest byte."""
  return byte << 24 | shade(colour, byte, sixteenths, lit)


def wall_columns(
  scene: Scene,
  camera: Camera,
  atlas: Atlas,
  view: View,
  rays: Rays,
  vertical: jax.Array,
  horizontal: jax.Array,
) -> Wall:
  """Of the `crossings` of the rays, uint32 [W] both."""
  on_vertical = vertical < horizontal
  depth = wall_depth(vertical, horizontal)
  at_x, at_y = camera.x + depth * rays.x, camera.y + depth * rays.y
  beyond = jnp.where(on_vertical, rays.x, rays.y)
  beyond = jnp.where(beyond < 0, -0.5, 0.5)
  column = floor_bits(jnp.where(on_vertical, at_x + beyond, at_x), FINE)
  row = floor_bits(jnp.where(on_vertical, at_y, at_y + beyond), FINE)
  look = scene.wall.reshape(-1).at[row * N + column].get(mode="clip")
  along = jnp.where(on_vertical, at_y, at_x)
  texel = floor_bits(along * TEXELS, FINE - 4) & TEXELS - 1
  pattern = (look >> 24).astype(jnp.int32)
  word = jnp.asarray(atlas.walls).reshape(-1).at[pattern * TEXELS + texel].get(mode="clip")
  byte, face = depth_byte(depth), jnp.where(on_vertical, 16, DIM)
  rgb = look & 0xFFFFFF
  colour = shade(rgb, byte, face, view.lit)
  second = shade(rgb, byte, face * SHADED >> 4, view.lit)
  scale = depth * (TEXELS / view.focal)
  top = view.horizon + (camera.z - 1) * view.focal / depth
  other = colour ^ second
  return Wall(word, scale, (0.5 - top) * scale, jnp.uint32(WALL << 24) | colour, other)


def wall_depth(vertical: jax.Array, horizontal: jax.Array) -> jax.Array:
  """Depth of the wall in each column, float32 [W]."""
  return jax.lax.bitcast_convert_type(jnp.minimum(vertical, horizontal), jnp.float32)


def card_columns(
  scene: Scene, camera: Camera, atlas: Atlas, view: View, rays: Rays, wall: jax.Array
) -> Cards:
  """The columns of the billboards before the wall, whose depth is float32 [W]."""
  cards = scene.billboards
  away_x, away_y = cards.foot[:, 0] - camera.x, cards.foot[:, 1] - camera.y
  depth = away_x * camera.cos + away_y * camera.sin
  right = away_y * camera.cos - away_x * camera.sin
  scale = TEXELS / cards.size
  across = rays.k * (depth * scale)[:, None] + (TEXELS / 2 - right * scale)[:, None]
  texel = floor_bits(across)
  seen = (texel >= 0) & (texel < TEXELS) & (depth[:, None] < wall)
  seen &= ((depth > NEAR) & cards.on)[:, None]
  index = cards.shape[:, None] * TEXELS + texel
  word = jnp.asarray(atlas.shapes).reshape(-1).at[index].get(mode="clip")
  byte = depth_byte(depth)
  colour = paint(cards.colour, byte, 16, view.lit)
  second = paint(cards.second, byte, 16, view.lit)
  top = view.horizon + (camera.z - cards.foot[:, 2] - cards.size) * view.focal / depth
  scale = depth * scale / view.focal
  return Cards(jnp.where(seen, word, 0), scale, (0.5 - top) * scale, colour, colour ^ second)


def slab(
  boxes: Boxes, x: jax.Array, y: jax.Array, ray_x: jax.Array, ray_y: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Where rays [R] from one place enter and leave boxes [K], and whether by a side that faces east
  or west, [K, R]; a ray misses where it would leave before it enters."""
  by_x, by_y = 1 / ray_x, 1 / ray_y
  west, east = (boxes.low[:, :1] - x) * by_x, (boxes.high[:, :1] - x) * by_x
  north, south = (boxes.low[:, 1:2] - y) * by_y, (boxes.high[:, 1:2] - y) * by_y
  in_x, in_y = jnp.minimum(west, east), jnp.minimum(north, south)
  leave = jnp.minimum(jnp.maximum(west, east), jnp.maximum(north, south))
  return jnp.maximum(in_x, in_y), leave, in_x > in_y


def block_columns(scene: Scene, camera: Camera, view: View, rays: Rays, wall: jax.Array) -> Blocks:
  """The columns of the boxes before the wall, whose depth is float32 [W]."""
  boxes = scene.boxes
  enter, leave, by_x = slab(boxes, camera.x, camera.y, rays.x, rays.y)
  seen = (enter < leave) & (leave > NEAR) & (enter < wall) & boxes.on[:, None]
  enter, leave = jnp.maximum(enter, NEAR), jnp.minimum(leave, wall)

  def row_of(z: jax.Array, depth: jax.Array) -> jax.Array:
    """The first row whose middle is below height z [K] at a depth [K, W]."""
    row = view.horizon + (camera.z - z)[:, None] * view.focal / depth
    return floor_bits(jnp.clip(row, -1.0, view.height + 1.0) + 0.5)

  low, high = boxes.low[:, 2], boxes.high[:, 2]
  side_top, side_bottom = row_of(high, enter), row_of(low, enter)
  top = jnp.minimum(side_top, row_of(high, leave))
  bottom = jnp.maximum(side_bottom, row_of(low, leave))
  face = jnp.where(by_x, 16, DIM)
  side = paint(boxes.colour[:, None], depth_byte(enter), face, view.lit)
  cap = paint(boxes.colour[:, None], depth_byte(leave), 16, view.lit)
  return Blocks(top, jnp.where(seen, bottom, -1), side_top, side_bottom, side, cap)
