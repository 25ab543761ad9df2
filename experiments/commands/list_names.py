"""`rarebird list`: what can be named on the command line, read from the files' text alone."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Literal

from envs import method_files
from experiments.settings import flags, reader, recipes, suites

Kind = Literal[
  "agents", "envs", "bonuses", "objectives", "torsos", "cores", "auxiliaries", "planners",
  "optimisers", "trackers", "recipes", "suites",
]  # fmt: skip
FOLDERS: dict[str, str] = {
  "agents": "agents",
  "envs": "envs",
  "bonuses": "agents.bonuses",
  "objectives": "agents.objectives",
  "torsos": "agents.torsos",
  "cores": "agents.cores",
  "auxiliaries": "agents.auxiliaries",
  "planners": "agents.planners",
  "optimisers": "agents.optimisers",
  "trackers": "experiments.trackers",
}
"""The package whose files register the names."""


@dataclasses.dataclass(frozen=True)
class ListConfig:
  """List names."""

  what: Kind = flags.positional()
  """agents, envs, bonuses, objectives, torsos, cores, auxiliaries, planners, optimisers, trackers,
  recipes or suites."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  config = reader.read("list", arguments, ListConfig(flags.REQUIRED), about)
  return functools.partial(run, config.what)


def run(what: str) -> int:
  """Prints the names with a line about each; returns 0."""
  if what == "recipes":
    return _recipes()
  if what == "suites":
    for suite in map(suites.load, suites.names()):
      print(f"{suite.name:12}{suite.about} ({', '.join(suite.parts)})")
    return 0
  lines = method_files.read(FOLDERS[what], several=what == "envs").listed
  width = max(len(line.name) for line in lines) + 2
  for line in lines:
    print(f"{line.name:{width}}{line.summary}")
  return 0


def _recipes() -> int:
  """Prints each recipe with what it reached."""
  loaded = [recipes.load(name) for name in recipes.names()]
  width = max(len(recipe.name) for recipe in loaded) + 2
  for recipe in loaded:
    print(f"{recipe.name:{width}}{recipe.about}")
    if not recipe.results:
      print(f"{'':{width}}not run yet")
    for r in recipe.results:
      scores = f"{min(r.scores):.2f} to {max(r.scores):.2f}, {len(r.seeds)} seeds"
      print(
        f"{'':{width}}{r.metric} on {r.split} {r.mean:.2f} ({scores}), {r.steps:,} steps in"
        f" {r.minutes:g} minutes"
      )
  return 0
