"""`--recipe NAME`: the flags that a recipe stands for, before those that are given beside it.

A recipe is a file experiments/recipes/NAME.toml:

  about     one line for `rarebird list recipes`
  train     the flags of `rarebird train`, --env among them
  found     how they were found: by whom, tuned on which seeds; "not run yet" at its end where
            there is no result
  [[result]] what it reached, each time it was measured: metric, split, seeds, scores (one a seed),
            steps, minutes, where, and if the steps are fewer than the recipe's a note that says why
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.settings import flags
from experiments.settings.errors import UserError, unknown

FOLDER = Path(__file__).parents[1] / "recipes"


class Result(NamedTuple):
  """What a recipe reached; `scores` has one entry a seed. A `note` says why `steps` are fewer than
  the recipe's."""

  metric: str
  split: str
  seeds: list[int]
  scores: list[float]
  steps: int
  minutes: float
  where: str
  note: str = ""

  @property
  def mean(self) -> float:
    """Over seeds."""
    return sum(self.scores) / len(self.scores)


class Recipe(NamedTuple):
  """A recipe.

  Attributes:
    name: of its file.
    about: one line.
    words: the arguments of `rarebird train` that it stands for.
    found: how.
    results: what it reached.
  """

  name: str
  about: str
  words: tuple[str, ...]
  found: str
  results: tuple[Result, ...]

  @property
  def env(self) -> str:
    """The environment that it is for."""
    return flags.value_of(self.words, "env", "")

  @property
  def env_args(self) -> tuple[str, ...]:
    """The settings of that environment."""
    return flags.values_of(self.words, "env-args", ())

  def agent(self, default: str) -> str:
    """The agent that it is for; the default one where it names none."""
    return flags.value_of(self.words, "agent", default)


def names() -> list[str]:
  """Of all recipes."""
  return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Recipe:
  """The recipe of a name; an unknown one is a UserError."""
  if name not in names():
    raise unknown("recipe", name, names(), "see rarebird list recipes.")
  values: dict[str, Any] = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
  results = tuple(Result(**result) for result in values.get("result", ()))
  return Recipe(
    name, values["about"], tuple(shlex.split(values["train"])), values["found"], results
  )


def expanded(arguments: Sequence[str], default_agent: str) -> list[str]:
  """The arguments with those of the recipe that they name before them: the last given counts.

  Raises:
    UserError: for an unknown recipe, or one beside another agent or environment than its own; it
      names the recipes that fit.
  """
  name = flags.value_of(arguments, "recipe", "")
  if not name:
    return list(arguments)
  recipe = load(name)
  own = {"env": recipe.env, "agent": recipe.agent(default_agent)}
  for flag, value in own.items():
    asked = flags.value_of(arguments, flag, value)
    if asked != value:
      fit = [r.name for r in map(load, names()) if asked in (r.env, r.agent(default_agent))]
      raise UserError(
        f"recipe {name!r} is for --{flag} {value}; "
        + (f"for {asked} there are {', '.join(fit)}." if fit else f"there is none for {asked}.")
      )
  return [*recipe.words, *arguments]
