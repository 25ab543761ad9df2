"""Text that spaces of gymnasium declare: which words it can hold, where a space says so."""

from __future__ import annotations

import itertools
import math
import re
import sys
from typing import Any

from dm_env import specs
from gymnasium import spaces

TEXTS = 256
"""Strings that a space of texts may allow at most for its words to be listed (ours)."""
MISSIONS = 10_000
"""Missions of MiniGrid that are listed at most; of more, those that differ from the first in one
part (ours)."""


class ConstantText(specs.StringArray):
  """The spec of a text that is always the same."""

  def __init__(self, text: str, name: str):
    super().__init__((), str, name)
    self.text = text


class KnownText(specs.StringArray):
  """The spec of a text of known words, in alphabetic order."""

  def __init__(self, words: tuple[str, ...], name: str):
    super().__init__((), str, name)
    self.words = words


def split(text: str) -> list[str]:
  """The words of a text in lower case; marks are words of their own."""
  return re.findall(r"\w+|[^\w\s]", text.lower())


def text_spec(space: spaces.Space, name: str) -> specs.StringArray:
  """The spec of a space of texts: a StringArray, or what is known of it."""
  text = only_text(space)
  if text is not None:
    return ConstantText(text, name)
  words = known_words(space)
  return KnownText(words, name) if words else specs.StringArray((), str, name)


def only_text(space: spaces.Space) -> str | None:
  """The one string that a space of texts allows, or None if it allows more, or is of no texts."""
  if isinstance(space, spaces.Text):
    if space.max_length == 0:
      return ""
    if space.min_length == space.max_length and len(space.character_set) == 1:
      return space.character_list[0] * space.max_length
  if _are_missions(space):
    choices = getattr(space, "ordered_placeholders", None)
    always = all(len(words) == 1 for words in choices or ())
    return str(space.sample()) if always else None
  return None


def known_words(space: spaces.Space) -> tuple[str, ...]:
  """All words that texts of a space can hold, in alphabetic order; () where it does not say."""
  if isinstance(space, spaces.Text):
    lengths = range(space.min_length, space.max_length + 1)
    characters = sorted(space.character_list)
    # Lengths of which one alone allows more are not counted out.
    if len(lengths) > TEXTS or sum(len(characters) ** min(n, TEXTS) for n in lengths) > TEXTS:
      return ()
    texts = ["".join(x) for n in lengths for x in itertools.product(characters, repeat=n)]
  elif _are_missions(space):
    texts = _missions(space)
  elif type(space).__name__ == "BabyAIMissionSpace":
    texts = _babyai()
  else:
    return ()
  return tuple(sorted({word for text in texts for word in split(text)}))


def _are_missions(space: spaces.Space) -> bool:
  missions = sys.modules.get("minigrid.core.mission")
  # Not of a subclass: BabyAI's says "go" and allows everything.
  return missions is not None and type(space) is missions.MissionSpace


def _missions(space: Any) -> list[str]:
  """Missions of a MiniGrid level in which each of its words occurs."""
  choices = getattr(space, "ordered_placeholders", None) or []
  say = space.mission_func
  if math.prod(len(words) for words in choices) <= MISSIONS:
    return [say(*words) for words in itertools.product(*choices)]
  first = [words[0] for words in choices]
  return [
    say(*first[:i], word, *first[i + 1 :]) for i, words in enumerate(choices) for word in words
  ]


def _babyai() -> list[str]:
  """What BabyAI's missions are made of: `surface` of its instructions, and what these name."""
  verifier = sys.modules["minigrid.envs.babyai.core.verifier"]
  said = "go to open pick up put next to then after you and a the object on in of your front behind"
  named = ("COLOR_NAMES", "OBJ_TYPES", "LOC_NAMES")
  return [said, ",", *(word for name in named for word in getattr(verifier, name))]
