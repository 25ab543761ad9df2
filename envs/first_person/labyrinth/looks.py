"""What things of the labyrinth look like: colours, silhouettes and the images of its laboratory."""

from __future__ import annotations

import functools

import numpy as np

from envs.first_person import patterns
from envs.first_person.scene import TEXELS, Atlas, texel_columns

_Y, _X = np.mgrid[:TEXELS, :TEXELS] - (TEXELS - 1) / 2
"""Texels below and right of the middle."""


def _disc(x: float, y: float, radius: float) -> np.ndarray:
  return (_X - x) ** 2 + (_Y - y) ** 2 < radius**2


def _rectangle(left: float, top: float, right: float, bottom: float) -> np.ndarray:
  return (left <= _X) & (right >= _X) & (top <= _Y) & (bottom >= _Y)


def _picture(first: np.ndarray, second: np.ndarray | None = None) -> np.ndarray:
  """0 nothing, 1 first tone, 2 second tone, [16, 16]."""
  inside = np.zeros_like(first) if second is None else first & second
  return np.where(inside, 2, np.where(first, 1, 0))


_A, _B = np.abs(_X), np.abs(_Y)
_STAR = np.sqrt(_A) + np.sqrt(_B) < np.sqrt(9)
_HEART = _disc(-3.5, -3, 4) | _disc(3.5, -3, 4) | ((_Y > -3) & (_A < 7 - 0.7 * (_Y + 3)))

_SILHOUETTES = {
  # The eight shapes that instructions name.
  "ball": _picture(_disc(0, 0, 7.6), _disc(-2.5, -2.5, 2)),
  "cube": _picture(_rectangle(-7, -7, 7, 7), (_A > 5) | (_B > 5)),
  "cone": _picture(_A < (_Y + 8) / 2, _Y > 5),
  "ring": _picture(_disc(0, 0, 7.6) & ~_disc(0, 0, 4.2)),
  "cross": _picture((_A < 3) | (_B < 3), (_A < 3) & (_B < 3)),
  "diamond": _picture(_A + _B < 8, _A + _B < 3),
  "heart": _picture(_HEART),
  "star": _picture(_STAR, _disc(0, 0, 2)),
  # Things to collect.
  "apple": _picture(_disc(0, 1.5, 6) | _rectangle(-1, -8, 1, -4), _Y < -4),
  "cake": _picture(_rectangle(-7, -1, 7, 7) | _rectangle(-1, -7, 1, -1), (_Y > -1) & (_Y < 2)),
  "crate": _picture(_rectangle(-7, -7, 7, 7), (np.abs(_A - _B) < 2) | (_A > 6) | (_B > 6)),
  "mushroom": _picture(_disc(0, 0, 7.6) & (_Y < 1) | _rectangle(-2, 0, 2, 7), _Y > 0),
  "hat": _picture(_rectangle(-4, -6, 4, 5) | _rectangle(-8, 3, 8, 6), (_Y > 0) & (_Y < 3)),
  "can": _picture(_rectangle(-4, -7, 4, 7), _B > 5),
  "balloon": _picture(_disc(0, -2, 5.6) | (_A < 1), _Y > 3),
  "goal": _picture(_disc(0, 0, 7.6), (_A < 2) | (_B < 2)),
  "key": _picture(
    _disc(-4, 0, 4) & ~_disc(-4, 0, 1.5) | _rectangle(-1, -1, 7, 1) | _rectangle(5, 0, 7, 4)
  ),
  "pad": _picture(_rectangle(-8, 4, 8, 8), _A > 5),
  "bot": _picture(_disc(0, -4, 3.6) | _rectangle(-4, -1, 4, 7), _rectangle(-2, -5, 2, -4)),
  # The laboratory's.
  "fixation": _picture((_A < 1) & (_B < 6) | (_B < 1) & (_A < 6)),
  "target": _picture(_disc(0, 0, 7) & ~_disc(0, 0, 5)),
  "t": _picture(_rectangle(-5, -6, 5, -3) | _rectangle(-2, -6, 2, 6)),
  "l": _picture(_rectangle(-5, -6, -2, 6) | _rectangle(-5, 3, 5, 6)),
}
SHAPES = tuple(_SILHOUETTES)
NAMED = SHAPES[:8]
IMAGES = 64
"""Images of the laboratory, which no rule but memory tells apart."""
FIRST_IMAGE = len(SHAPES)


def shape(name: str) -> int:
  """The row of a silhouette in `Atlas.shapes`; ValueError for any other name."""
  return SHAPES.index(name)


@functools.cache
def atlas() -> Atlas:
  """All patterns; the images are mirror-symmetric and drawn by `default_rng(64)`."""
  half = np.random.default_rng(64).integers(1, 3, (IMAGES, 8, 4))
  images = np.concatenate([half, half[..., ::-1]], -1).repeat(2, 1).repeat(2, 2)
  pictures = np.concatenate([np.stack(list(_SILHOUETTES.values())), images])
  return Atlas(patterns.WALLS, texel_columns(pictures))


COLOURS = {
  # The six that instructions name.
  "red": (220, 40, 40),
  "green": (40, 180, 50),
  "blue": (50, 80, 230),
  "cyan": (40, 200, 210),
  "magenta": (220, 60, 210),
  "yellow": (235, 215, 50),
  "white": (240, 240, 240),
  "black": (25, 25, 25),
  "orange": (240, 140, 30),
  "brown": (140, 90, 50),
  "pink": (250, 170, 190),
  "grey": (130, 130, 130),
  "tan": (200, 175, 130),
  "grass": (70, 120, 50),
  "stone": (150, 145, 135),
  "slate": (90, 100, 115),
  "wood": (125, 95, 65),
  "sky": (140, 190, 235),
  "night": (35, 35, 55),
  "bright": (250, 250, 200),
  "moss": (105, 125, 85),
  "sand": (190, 165, 110),
}
COLOUR_NAMES = tuple(COLOURS)
NAMED_COLOURS = COLOUR_NAMES[:6]
ROOM = 32
"""Colours from this number on are those of a map's rooms, which an episode draws."""
ROOMS = 8
SWITCH = ROOM + ROOMS
"""The colour of a floor that is dark or bright, as the episode is."""
HEIGHT = SWITCH + 1
"""Colours from this number on tell heights, the greater the brighter."""
HEIGHTS = 64


def colour(name: str) -> int:
  """The number of a colour; ValueError for any other name."""
  return COLOUR_NAMES.index(name)


def _packed(rgb: np.ndarray) -> np.ndarray:
  return (rgb.astype(np.uint32) << np.array([0, 8, 16], np.uint32)).sum(-1, dtype=np.uint32)


@functools.cache
def palette() -> np.ndarray:
  """Every colour by number, uint32 [105]; those of rooms and of the switch are filled in later."""
  colours = np.zeros((HEIGHT + HEIGHTS, 3), int)
  colours[: len(COLOURS)] = list(COLOURS.values())
  grey = np.minimum(30 + 7 * np.arange(HEIGHTS), 255)
  colours[HEIGHT:] = np.stack([grey // 2, grey, grey], -1)
  return _packed(colours)
