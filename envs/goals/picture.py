"""Mazes from above: as an agent's view, in few pixels, and as a picture for people.

In a view the point alone is red: its light falls on the 4 pixels around it, in shares (bilinear)
whose centre of mass is its position, so that a view tells where it was taken.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

VIEW_SIDE = 3
"""Side of a cell in a view, in pixels."""
FLOOR, WALL = (0, 0, 0), (0, 90, 140)
"""Colours of a view."""
PICTURE_SIDE = 256
"""Least side of a picture, in pixels, near enough."""
PAPER, STONE, GOAL, POINT = (255, 255, 255), (45, 50, 65), (80, 200, 120), (205, 70, 60)
"""Colours of a picture."""
POINT_RADIUS = 0.18
"""How large a point is drawn in a picture, in cells."""


def plan(
  blocked: np.ndarray, side: int, floor: tuple[int, ...], wall: tuple[int, ...]
) -> np.ndarray:
  """Returns walls [R, C] in colours, with cells of `side` pixels: uint8 [R * side, C * side, 3]."""
  colours = np.where(blocked[..., None], wall, floor).astype(np.uint8)
  return colours.repeat(side, 0).repeat(side, 1)


def view(background: np.ndarray, position: jax.Array) -> jax.Array:
  """Draws a point at (x, y) in cells, float32 [2], into a view without red, uint8 [H, W, 3]."""
  across, down = (
    jnp.maximum(1 - abs(VIEW_SIDE * place - (np.arange(pixels, dtype=np.float32) + 0.5)), 0)
    for place, pixels in zip(position, background.shape[1::-1], strict=True)
  )
  red = jnp.round(255 * down[:, None] * across).astype(jnp.uint8)
  return jnp.concatenate([red[..., None], background[..., 1:]], axis=-1)


def position(view: jax.Array) -> jax.Array:
  """Returns where the point is in a view, float32 [2], in cells; within .003 cells."""
  red = view[..., 0].astype(jnp.float32)
  x, y = (
    red.sum(axis) @ (np.arange(red.shape[1 - axis], dtype=np.float32) + 0.5) for axis in (0, 1)
  )
  return jnp.stack([x, y]) / red.sum() / VIEW_SIDE


def draw(blocked: np.ndarray, goal: jax.Array, radius: float, point: jax.Array) -> jax.Array:
  """Draws a maze, a goal with the radius in which it counts as reached, and a point.

  Args:
    blocked: the walls, bool [R, C].
    goal, point: (x, y) in cells, float32 [2].
    radius: of the goal, in cells.

  Returns:
    uint8 [R * S, C * S, 3], S such that the longer side has about `PICTURE_SIDE` pixels.
  """
  side = max(1, round(PICTURE_SIDE / max(blocked.shape)))
  picture = jnp.asarray(plan(blocked, side, PAPER, STONE), jnp.float32)
  rows, columns = picture.shape[:2]
  pixels = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).astype(np.float32) + 0.5
  for place, size, colour in ((goal, radius, GOAL), (point, POINT_RADIUS, POINT)):
    away = jnp.linalg.norm(pixels - place * side, axis=-1, keepdims=True)
    cover = jnp.clip(size * side - away + 0.5, 0.0, 1.0)
    picture += cover * (jnp.array(colour, jnp.float32) - picture)
  return jnp.round(picture).astype(jnp.uint8)
