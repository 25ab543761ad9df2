"""The labyrinth's vocabulary: word w of an instruction is `WORDS[w - 1]`, and 0 is none."""

from __future__ import annotations

from collections.abc import Iterable

from envs.first_person.labyrinth import looks

WORDS = (
  *looks.NAMED_COLOURS,
  *looks.NAMED,
  "pick",
  "object",
  "room",
  "every",
  "near",
  "all",
  "any",
  "anything",
  "most",
)
FIRST_COLOUR, FIRST_SHAPE = 1, 1 + len(looks.NAMED_COLOURS)
"""The numbers of the first colour and the first shape, in the order of `looks`."""


def number(word: str) -> int:
  """The number of a word; ValueError for one that there is not."""
  return 1 + WORDS.index(word)


def text(numbers: Iterable[int]) -> str:
  """An instruction in words."""
  return " ".join(WORDS[n - 1] for n in numbers if n)
