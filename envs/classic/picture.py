"""Pictures of bodies made of rods, with smooth edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

PAPER, LINE = (255, 255, 255), (150, 150, 150)
BODY, EFFECTOR, TARGET = (70, 90, 140), (205, 70, 60), (80, 200, 120)


class Rod(NamedTuple):
  """All that is within `radius` of the line from `start` to `end`; a disc where they are one.

  Attributes:
    start, end: (x, y) in metres, y up.
    radius: metres.
    colour: red, green, blue, 0 to 255.
  """

  start: tuple[jax.typing.ArrayLike, jax.typing.ArrayLike]
  end: tuple[jax.typing.ArrayLike, jax.typing.ArrayLike]
  radius: float
  colour: tuple[int, int, int]


def draw(
  rods: Sequence[Rod], low: tuple[float, float], high: tuple[float, float], pixel: float
) -> jax.Array:
  """Draws rods one over another.

  Args:
    rods: the last one is on top.
    low, high: corners of what is seen, (x, y) in metres.
    pixel: side of a pixel, metres.

  Returns:
    The picture, uint8 [H, W, 3].
  """
  x = np.arange(low[0], high[0], pixel) + pixel / 2
  y = np.arange(high[1], low[1], -pixel) - pixel / 2
  points = jnp.asarray(np.stack(np.meshgrid(x, y), axis=-1), jnp.float32)
  picture = jnp.full((*points.shape[:2], 3), jnp.array(PAPER, jnp.float32))
  for rod in rods:
    start, end = (jnp.stack([jnp.float32(c) for c in corner]) for corner in (rod.start, rod.end))
    along = end - start
    share = (points - start) @ along / jnp.maximum(along @ along, 1e-12)
    nearest = start + jnp.clip(share, 0.0, 1.0)[..., None] * along
    distance = jnp.linalg.norm(points - nearest, axis=-1, keepdims=True)
    cover = jnp.clip((rod.radius - distance) / pixel + 0.5, 0.0, 1.0)
    picture += cover * (jnp.array(rod.colour, jnp.float32) - picture)
  return jnp.round(picture).astype(jnp.uint8)


def draw_pendulum(x: jax.Array, y: jax.Array) -> jax.Array:
  """A pendulum of length 1 at the origin, its end at (x, y); uint8 [80, 80, 3]."""
  rods = (Rod((0, 0), (x, y), 0.05, BODY), Rod((x, y), (x, y), 0.14, EFFECTOR))
  return draw([*rods, Rod((0, 0), (0, 0), 0.04, LINE)], (-1.2, -1.2), (1.2, 1.2), 0.03)
