"""What a first-person picture is drawn from: a grid of cells, the things in it and a camera.

The unit is a cell; x points east, y south and z up; a heading turns from east towards south. Cell
(row, column) covers y from row to row + 1 and x from column to column + 1. Walls reach from z = 0
to 1, and the cells at the border are always walls, so that no ray leaves the map.

A colour is one uint32: red + 256 green + 65536 blue.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

N = 17
"""Cells a side of every map."""
TEXELS = 16
"""Rows and columns of a pattern."""


class Boxes(NamedTuple):
  """Boxes with upright sides along the axes: doors, plinths, furniture, cubes, plates.

  Attributes:
    low, high: corners (x, y, z), float32 [K, 3].
    colour: uint32 [K].
    on: bool [K], whether it is there.
  """

  low: jax.Array
  high: jax.Array
  colour: jax.Array
  on: jax.Array


class Billboards(NamedTuple):
  """Flat square pictures that always face the camera.

  Attributes:
    foot: middle of the lower edge (x, y, z), float32 [K, 3].
    size: width and height, float32 [K].
    shape: row of `Atlas.shapes`, int32 [K].
    colour, second: of its two tones, uint32 [K].
    on: bool [K], whether it is there.
  """

  foot: jax.Array
  size: jax.Array
  shape: jax.Array
  colour: jax.Array
  second: jax.Array
  on: jax.Array


class Scene(NamedTuple):
  """All that can be seen.

  Attributes:
    solid: walls, uint32 [N], a row of the map each; see `bit_rows`.
    void: what blocks bodies but not sight, in the same form; what it looks like, the floor tells.
    floor: colour of each cell's floor, uint32 [N, N].
    ceiling: colour of the ceiling or of the sky, uint32.
    wall: look of each cell's walls, uint32 [N, N]; see `wall_look`.
    billboards, boxes: the things.
  """

  solid: jax.Array
  void: jax.Array
  floor: jax.Array
  ceiling: jax.Array
  wall: jax.Array
  billboards: Billboards
  boxes: Boxes


class Camera(NamedTuple):
  """Where the picture is taken from; float32 scalars.

  Attributes:
    x, y: place.
    z: height of the eye.
    cos, sin: of the heading.
    pitch: tangent of the angle that the eye looks up by; it shifts the horizon.
  """

  x: jax.Array
  y: jax.Array
  z: jax.Array
  cos: jax.Array
  sin: jax.Array
  pitch: jax.Array


@dataclasses.dataclass(frozen=True, eq=False)
class Atlas:
  """The patterns of a world, constants of NumPy: 16 x 16 texels in two bits each.

  Column c of a pattern is one uint32, whose bits 2 r and 2 r + 1 are the texel in row r from the
  top: bit 0 is whether anything is there, bit 1 whether it has the second tone. One is made once:
  what draws it is compiled for that one.

  Attributes:
    walls: uint32 [P, 16]; every texel of theirs is there.
    shapes: of billboards, uint32 [S, 16].
  """

  walls: np.ndarray
  shapes: np.ndarray


def rgb(colour: jax.typing.ArrayLike) -> jax.Array:
  """Colours of three bytes as one number: uint8 [..., 3] becomes uint32 [...]."""
  red, green, blue = jnp.moveaxis(jnp.asarray(colour).astype(jnp.uint32), -1, 0)
  return red | green << 8 | blue << 16


def channels(colour: jax.typing.ArrayLike) -> jax.Array:
  """The three bytes of colours, uint8 [..., 3], of uint32 [...]; see `rgb`."""
  shifts = jnp.uint32([0, 8, 16])
  return (jnp.asarray(colour)[..., None] >> shifts & 255).astype(jnp.uint8)


def wall_look(pattern: jax.typing.ArrayLike, colour: jax.typing.ArrayLike) -> jax.Array:
  """A wall's look as one number: the row of `Atlas.walls` above its colour, uint32 [...]."""
  return jnp.asarray(pattern).astype(jnp.uint32) << 24 | jnp.asarray(colour, jnp.uint32)


def bit_rows(cells: jax.typing.ArrayLike) -> jax.Array:
  """Rows of cells as numbers: bool [..., N] becomes uint32 [...], column c being bit 31 - c."""
  bits = jnp.asarray(cells).astype(jnp.uint32) << (31 - jnp.arange(N, dtype=jnp.uint32))
  return bits.sum(-1, dtype=jnp.uint32)


def row_cells(rows: Any) -> Any:
  """The inverse of `bit_rows`: uint32 [...] becomes bool [..., N], in NumPy or JAX as they are."""
  return (rows[..., None] >> (31 - np.arange(N, dtype=np.uint32)) & 1) == 1


def cell_at(rows: jax.Array, row: jax.Array, column: jax.Array) -> jax.Array:
  """Whether the bit of cells is set, bool [...]; they must lie within the map."""
  return (rows[row] << column.astype(jnp.uint32)).astype(jnp.int32) < 0


def texel_columns(picture: np.ndarray) -> np.ndarray:
  """Pictures [..., 16, 16] of 0 (nothing), 1 (first tone) and 2 (second) as uint32 [..., 16]."""
  texel = np.array([0, 1, 3], np.uint32)[np.asarray(picture)]
  row = 2 * np.arange(TEXELS, dtype=np.uint32)
  return np.moveaxis(texel, -2, -1).__lshift__(row).sum(-1, dtype=np.uint32)


def no_billboards(count: int = 0) -> Billboards:
  """Billboards that are not there."""
  return Billboards(
    jnp.zeros((count, 3), jnp.float32),
    jnp.ones((count,), jnp.float32),
    jnp.zeros((count,), jnp.int32),
    jnp.zeros((count,), jnp.uint32),
    jnp.zeros((count,), jnp.uint32),
    jnp.zeros((count,), bool),
  )


def no_boxes(count: int = 0) -> Boxes:
  """Boxes that are not there."""
  corner = jnp.zeros((count, 3), jnp.float32)
  return Boxes(corner, corner, jnp.zeros((count,), jnp.uint32), jnp.zeros((count,), bool))
