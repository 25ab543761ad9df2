"""Which arrays are pictures, and where their channels are."""

from __future__ import annotations

import itertools

CHANNELS = (1, 3, 4)
"""Of one picture: grey, colours, colours with opacity."""
SIDE = 16
"""Rows and columns that what looks like a picture has at least."""


def looks_like_pictures(shape: tuple[int, ...]) -> bool:
  """Whether arrays of a shape are likely to be pictures, or stacks of them, whatever their dtype.

  They have at least three axes, and at least `SIDE` entries along two that follow each other.
  """
  return len(shape) >= 3 and any(min(pair) >= SIDE for pair in itertools.pairwise(shape))


def channels_first(shape: tuple[int, ...]) -> bool | None:
  """Whether pictures of a shape are [C, H, W] rather than [H, W, C]; or [S, ...], stacks of them.

  Channels come first where this axis is at most a quarter as long as both others, or half for as
  many channels as one picture has; None where that is no more likely than the other way round, and
  for stacks of more pictures than these have rows or columns.
  """
  *stack, a, b, c = shape
  first = a < min(b, c)
  sides = (b, c) if first else (a, b)
  if len(stack) > 1 or max(stack, default=0) > min(sides):
    return None
  if first and (c in CHANNELS or (2 if a in CHANNELS else 4) * a > min(sides)):
    return None
  return first
