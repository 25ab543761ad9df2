"""Patterns of walls, which all worlds share: where the second tone is, mirror images of themselves.

`WALLS` are rows of `Atlas.walls`; `row(name)` is the number of one.
"""

from __future__ import annotations

import numpy as np

from envs.first_person.scene import TEXELS, texel_columns

_ROW, _COLUMN = np.mgrid[:TEXELS, :TEXELS]
_SIDE = np.minimum(_COLUMN, TEXELS - 1 - _COLUMN)
"""Texels to the nearer edge at the left or right."""
_UPPER = np.minimum(_ROW, TEXELS - 1 - _ROW)

_SECOND = {
  "plain": np.zeros_like(_ROW, bool),
  "bricks": (_ROW % 4 == 3) | (np.where(_ROW // 4 % 2, _SIDE == 7, _SIDE == 0)),
  "panels": (_SIDE == 1) | (_UPPER == 1),
  "stripes": _SIDE // 2 % 2 == 1,
  "bands": _ROW // 2 % 2 == 1,
  "wainscot": _ROW >= 10,
  "diamonds": _SIDE + _UPPER < 7,
  "checks": (_SIDE // 4 + _UPPER // 4) % 2 == 1,
  "dots": (_SIDE % 4 > 1) & (_UPPER % 4 > 1),
}

NAMES = tuple(_SECOND)
WALLS = np.stack([texel_columns(1 + second) for second in _SECOND.values()])
"""uint32 [9, 16]."""


def row(name: str) -> int:
  """The row of a pattern of `NAMES`; ValueError for any other name."""
  return NAMES.index(name)
