"""The thirty things of the playroom, the commonest first, and what they look like.

A silhouette is eight rows of eight, doubled: `#` in the first tone, `o` in the second.
"""

from __future__ import annotations

import numpy as np

from envs.first_person.scene import texel_columns

_DRAWN = {
  "ball": "..####.. .######. ##oo#### ##oo#### ######## ######## .######. ..####..",
  "cup": "........ ######.. ######## ######.# ######.# ######## ######.. .####...",
  "key": ".###.... ##.##... #...#... ##.##### .###.### ......#. ......#. ........",
  "hat": "........ ..####.. ..####.. ..####.. ..oooo.. ..####.. ######## ########",
  "car": "........ ..####.. .##..##. ######## ######## ######## .oo..oo. .oo..oo.",
  "boat": "....#... ...##... ..###... .####... ....#... ######## .######. ..####..",
  "plane": "...#.... ...##... #..##... ######## ######## #..##... ...##... ...#....",
  "train": "##...### ##...#.# ##...#.# ######## ######## ######## .oo.oo.o .oo.oo.o",
  "book": "######## #oooooo# #o####o# #oooooo# #o####o# #oooooo# ######## #.......",
  "lamp": "..####.. .######. ######## ...oo... ...oo... ...oo... ..oooo.. .oooooo.",
  "chair": "##...... ##...... ##...... ##...... ######## ######## ##....## ##....##",
  "robot": "...##... .######. .#o##o#. .######. ..####.. ######## .######. .##..##.",
  "duck": "..###... .##o#... ooo##... ..##..## .####### .####### ..#####. ...oo...",
  "fish": "........ ..###..# .#####.# #o###### ######## .#####.# ..###..# ........",
  "bear": "##....## ######## ##o##o## ######## ###oo### .######. ..####.. ........",
  "tree": "...##... ..####.. .######. ..####.. .######. ######## ...oo... ...oo...",
  "flower": "..#..#.. .##..##. ..#oo#.. ..#oo#.. .##..##. ...oo... .o.oo.o. ..oooo..",
  "star": "...##... ...##... ######## .######. ..####.. .######. .##..##. ##....##",
  "moon": "..####.. .###.... ###..... ##...... ##...... ###..... .###.... ..####..",
  "heart": ".##..##. ######## ######## ######## .######. ..####.. ...##... ........",
  "house": "...##... ..####.. .######. ######## .#oo###. .#oo#o#. .####o#. .####o#.",
  "clock": "..####.. .#oooo#. #ooo#oo# #ooo#oo# #ooo##o# #oooooo# .#oooo#. ..####..",
  "bell": "...##... ..####.. ..####.. .######. .######. ######## ...oo... ...oo...",
  "drum": "oooooooo ######## #o#oo#o# ##o##o## #o#oo#o# ######## oooooooo .oooooo.",
  "ring": "...oo... ..oooo.. ..####.. .##..##. ##....## ##....## .##..##. ..####..",
  "cross": "...##... ...##... ######## ######## ...##... ...##... ...##... ...##...",
  "arrow": "...##... ..####.. .######. ######## ...##... ...##... ...##... ...##...",
  "anchor": "...##... ..#..#.. ...##... .######. ...##... #..##..# ##.##.## ..####..",
  "bottle": "...oo... ...##... ...##... ..####.. ..####.. ..oooo.. ..oooo.. ..####..",
  "candle": "...o.... ...oo... ...##... ...##... ...##... ...##... ...##... .######.",
}

NOUNS = tuple(str(noun) for noun in np.random.default_rng(5).permutation(list(_DRAWN)))
"""By rank."""
COUNT, RARE = len(NOUNS), 6
"""Of nouns, and of those at the end that the rare split draws from."""


def _picture(noun: str) -> np.ndarray:
  rows = [[".#o".index(mark) for mark in row] for row in _DRAWN[noun].split()]
  return np.array(rows).repeat(2, axis=0).repeat(2, axis=1)


SHAPES = texel_columns(np.stack([_picture(noun) for noun in NOUNS]))
"""By rank, rows of `Atlas.shapes`, uint32 [30, 16]."""

WORDS = ("lift", "put", "find", "on", "near", "bed", "tray", *NOUNS)
"""The vocabulary: word w of an instruction is `WORDS[w - 1]`, and 0 is none."""
FIRST_NOUN = 1 + WORDS.index(NOUNS[0])


def number(word: str) -> int:
  """The number of a word."""
  return 1 + WORDS.index(word)


def text(numbers: np.ndarray) -> str:
  """An instruction in words."""
  return " ".join(WORDS[n - 1] for n in numbers if n)
