"""What a comparison varies, in words."""

from __future__ import annotations

from typing import NamedTuple


class Noun(NamedTuple):
  """What is compared.

  Attributes:
    one, many: "bonus", "bonuses".
    a: "a bonus".
    whole: as the title of the page has it, one and many.
    without: what the baseline is called where it is `none`.
  """

  one: str
  many: str
  a: str
  whole: tuple[str, str]
  without: str = ""

  def counted(self, count: int) -> str:
    """Such as "2 exploration bonuses"."""
    return f"{count} {self.whole[count != 1]}"


def _plain(one: str, a: str) -> Noun:
  return Noun(one, f"{one}s", a, (one, f"{one}s"))


NOUNS = {
  "bonus": Noun(
    "bonus", "bonuses", "a bonus", ("exploration bonus", "exploration bonuses"), "no bonus"
  ),
  "auxiliary": Noun(
    "auxiliary loss",
    "auxiliary losses",
    "an auxiliary loss",
    ("auxiliary loss", "auxiliary losses"),
    "no auxiliary loss",
  ),
  "planner": Noun("planner", "planners", "a planner", ("planner", "planners"), "no planner"),
  "objective": _plain("objective", "an objective"),
  "core": _plain("core", "a core"),
  "torso": _plain("torso", "a torso"),
  "optimiser": _plain("optimiser", "an optimiser"),
  "agent": _plain("agent", "an agent"),
}
BASELINE = "none"
"""What bonuses, auxiliary losses and planners are compared with."""


def against(vary: str, baseline: str | None) -> str:
  """What the others are compared with, in a sentence: "no bonus", or its name."""
  noun = NOUNS[vary]
  return noun.without if baseline == BASELINE and noun.without else str(baseline)
