"""Views of two points on a plane, in few pixels: the first in red, the second in blue.

Each is drawn as the point of a maze is (`envs.goals.picture`), so that a view tells where both are.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.goals import picture

PIXEL = 0.01
"""Side of a pixel, metres."""
_CELL = PIXEL * picture.VIEW_SIDE


class Window(NamedTuple):
  """What is seen of the plane, which must hold the points with a pixel to spare.

  Attributes:
    low, high: its corners (x, y) in metres, y up.
  """

  low: tuple[float, float]
  high: tuple[float, float]

  @property
  def shape(self) -> tuple[int, int, int]:
    """Of a view, (H, W, 3)."""
    width, height = (
      round((high - low) / PIXEL) for low, high in zip(self.low, self.high, strict=True)
    )
    return height, width, 3


def view(points: jax.Array, window: Window) -> jax.Array:
  """Draws two points, float32 [2, 2], in metres: uint8 [H, W, 3]."""
  ground = np.zeros(window.shape, np.uint8)
  x, y = points[:, 0] - window.low[0], window.high[1] - points[:, 1]
  first, second = (picture.view(ground, point) for point in jnp.stack([x, y], -1) / _CELL)
  return first + second[..., ::-1]


def points(view: jax.Array, window: Window) -> jax.Array:
  """Returns where the two points of a view are, float32 [2, 2], in metres; within .0001 m."""
  x, y = _CELL * jnp.stack([picture.position(view), picture.position(view[..., ::-1])]).T
  return jnp.stack([x + window.low[0], window.high[1] - y], -1)
