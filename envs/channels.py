"""Where the channels of a picture are."""

from __future__ import annotations

CHANNELS = (1, 3, 4)
"""Of one picture: grey, colours, colours with opacity."""


def channels_first(shape: tuple[int, ...]) -> bool | None:
  """Whether pictures of a shape are [..., C, H, W] rather than [..., H, W, C].

  They are where the first of these axes is at most half as long as both others; None where that is
  no more likely than the other way round.
  """
  a, b, c = shape[-3:]
  if a >= min(b, c):
    return False
  return None if c in CHANNELS or 2 * a > min(b, c) else True
