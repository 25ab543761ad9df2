"""Text as numbers of words, the same in every process and every run.

Where it is known which words there are, they are numbered from 1 on in alphabetic order, and any
other is 0. Else a word's number is its hash: two words may share one. Text that is longer than the
spec says is cut.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from dm_env import specs

from envs.adapters.text import KnownText, split
from envs.observation import Tokens

HASHED = 1024
"""Numbers for the words of a text of which it is not known what words it can hold (ours: of 40
words, those that BabyAI has, about one shares its number with another)."""
LENGTH = 32
"""Words of a text that are read, at most (ours)."""


def tokens_spec(spec: specs.StringArray, hashed: int, length: int, name: str) -> Tokens:
  """The spec of what a text becomes.

  Args:
    spec: of the text.
    hashed: numbers there are for words that are not known.
    length: words that are read.
    name: of the leaf.
  """
  words = spec.words if isinstance(spec, KnownText) else ()
  return Tokens(length, len(words) + 1 if words else hashed, words, name)


def number(word: str, size: int) -> int:
  """The number of a word by its hash, from 1 to `size` - 1; the same on every machine."""
  digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
  return 1 + int.from_bytes(digest, "big") % (size - 1)


class Reader:
  """Reads texts as numbers.

  Attributes:
    unknown: words of the text that was read last that have no number.
  """

  def __init__(self, spec: Tokens):
    self.unknown = 0
    self._spec = spec
    self._numbers = {word: i for i, word in enumerate(spec.words, start=1)}
    self._last: tuple[str, np.ndarray, int] | None = None

  def __call__(self, text: Any, where: str) -> np.ndarray:
    """The numbers of a text's words, int32 [L].

    Raises:
      ValueError: one line, if it is no text; `where` is how it is called.
    """
    if isinstance(text, np.ndarray) and text.dtype.kind == "U" and text.size == 1:
      text = text.item()
    if not isinstance(text, str):
      raise ValueError(f"{where} is a {type(text).__name__}; a text is declared.")
    if self._last is None or self._last[0] != text:  # nearly always it is that of the step before
      self._last = (text, *self._read(text))
    self.unknown = self._last[2]
    return self._last[1]

  def _read(self, text: str) -> tuple[np.ndarray, int]:
    words, numbers = split(text)[: self._spec.length], np.zeros(self._spec.length, np.int32)
    if self._spec.words:
      numbers[: len(words)] = [self._numbers.get(word, 0) for word in words]
    else:
      numbers[: len(words)] = [number(word, self._spec.size) for word in words]
    return numbers, int((numbers[: len(words)] == 0).sum())
