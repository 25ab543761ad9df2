"""The 9x9-pixel pictures of cells: 15 shapes times 15 colours, wall, floor and agent.

Source: Zipf's Gridworld of google-deepmind/zipfian_environments.
"""

from __future__ import annotations

import functools

import numpy as np

CELL = 9
"""Side of a cell, in pixels."""

COLOURS = {
  "red": (255, 0, 0),
  "green": (0, 255, 0),
  "blue": (0, 0, 255),
  "purple": (128, 0, 128),
  "orange": (255, 165, 0),
  "yellow": (255, 255, 0),
  "brown": (128, 64, 0),
  "pink": (255, 64, 255),
  "cyan": (0, 255, 255),
  "dark_green": (0, 100, 0),
  "dark_red": (100, 0, 0),
  "dark_blue": (0, 0, 100),
  "teal": (0, 100, 100),
  "lavender": (215, 200, 255),
  "rose": (255, 205, 230),
}
FLOOR, WALL, AGENT, CUE_BACKGROUND = 0, 40, 255, 180
"""Grey levels of the plain cells, and of the ground that the goal cue is shown on."""


@functools.cache
def shape_masks() -> dict[str, np.ndarray]:
  """Returns the 15 shapes by name, each bool [9, 9], True where the object's colour shows."""
  i, j = np.indices((CELL, CELL))
  half = CELL // 2
  plus = (abs(i - half) <= 1) | (abs(j - half) <= 1)
  ex = (abs(i - j) <= 1) | (abs(CELL - 1 - i - j) <= 1)
  distance = (i - half) ** 2 + (j - half) ** 2
  top, bottom, middle_row = i < 3, i >= CELL - 3, abs(i - half) <= 1
  sides, middle_column = (j < 3) | (j >= CELL - 3), abs(j - half) <= 1
  return {
    "triangle": i >= 2 * abs(half - j),
    "empty_square": np.maximum(abs(i - half), abs(j - half)) > half - 2,
    "plus": plus,
    "inverse_plus": ~plus,
    "ex": ex,
    "inverse_ex": ~ex,
    "circle": distance <= half**2,
    "empty_circle": abs(distance - half**2) < 6,
    "tee": middle_column | top,
    "upside_down_tee": middle_column | bottom,
    "h": sides | middle_row,
    "u": sides | bottom,
    "upside_down_u": sides | top,
    "vertical_stripes": j % 2 == 0,
    "horizontal_stripes": i % 2 == 0,
  }


SHAPES = tuple(shape_masks())


def plain(grey: int) -> np.ndarray:
  """Returns a cell of one grey level, uint8 [9, 9, 3]."""
  return np.full((CELL, CELL, 3), grey, np.uint8)


@functools.cache
def objects(background: int = FLOOR) -> np.ndarray:
  """Returns every object's picture, uint8 [shape 15, colour 15, 9, 9, 3], on a grey ground."""
  masks = np.stack(list(shape_masks().values()))[:, None, :, :, None]
  colours = np.array(list(COLOURS.values()), np.uint8)[None, :, None, None, :]
  return np.where(masks, colours, np.uint8(background))
