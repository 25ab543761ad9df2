"""`rarebird compare --suite NAME`: comparisons that belong together, each as its flags.

A suite is a file experiments/suites/NAME.toml:

  about     one line for `rarebird list suites`
  [[part]]  name, of its folder, and flags, those of `rarebird compare`
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.settings import flags
from experiments.settings.errors import unknown

FOLDER = Path(__file__).parents[1] / "suites"


class Suite(NamedTuple):
  """A suite: what it is for, one line, and the words of each of its parts by their names."""

  name: str
  about: str
  parts: dict[str, tuple[str, ...]]


def names() -> list[str]:
  """Of all suites."""
  return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Suite:
  """The suite of a name; an unknown one is a UserError."""
  if name not in names():
    raise unknown("suite", name, names(), "see rarebird list suites.")
  values = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
  parts = {part["name"]: tuple(shlex.split(part["flags"])) for part in values["part"]}
  return Suite(name, values["about"], parts)


def expanded(arguments: Sequence[str]) -> list[list[str]]:
  """The arguments of each comparison that they stand for: of the suite that they name, or they
  alone. What is given beside a suite goes to each of its parts, or to those in --parts, and wins.

  Raises:
    UserError: for a suite or a part that there is not.
  """
  name = flags.value_of(arguments, "suite", "")
  if not name:
    return [list(arguments)]
  suite = load(name)
  chosen = flags.values_of(arguments, "parts", ()) or tuple(suite.parts)
  for part in chosen:
    if part not in suite.parts:
      raise unknown(
        f"part of suite {name}", part, [*suite.parts], f"it has {', '.join(suite.parts)}."
      )
  out = flags.value_of(arguments, "out", f"suites/{name}")
  given = [*arguments, "--suite", "", "--parts"]
  return [
    [*words, *given, "--out", f"{out}/{part}"]
    for part, words in suite.parts.items()
    if part in chosen
  ]
