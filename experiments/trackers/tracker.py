"""The tracker contract: it is opened, takes the rows of a log, and is closed.

metrics.jsonl is the log itself and always written; a tracker is told the same rows. A method is one
file of this folder, which registers itself.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from envs.registry import Choice, Registry

registry = Registry("tracker", "experiments.trackers")
Row = dict[str, float]


class Tracked(NamedTuple):
  """The run that is tracked.

  Attributes:
    folder: of the run.
    name: what a person is shown.
    id: the same whenever the run is resumed, and no other run's.
    config: as config.json has it.
  """

  folder: Path
  name: str
  id: str
  config: dict[str, Any]


class Tracker(Protocol):
  """What a registered class is; it is made by `Class(settings, tracked)`, which does nothing yet.

  Attributes:
    library: the module that it needs, installed by the extra of the tracker's name; "" for none.
    waits: whether rows are written by the run itself, before it goes on: for what is on this disk.
      Else a thread does it, and neither a slow nor an unreachable server holds the run up.
  """

  library: str
  waits: bool

  def open(self) -> None:
    """Begins, or goes on with, a run of this id. May raise anything."""

  def write(self, rows: Sequence[Row]) -> None:
    """Takes new rows: `seed`, `step` (environment steps), in a sweep `lane`, and metrics."""

  def close(self) -> None:
    """Ends it; what was written is kept."""


def values(row: Row) -> dict[str, float]:
  """The metrics of a row, each beneath the seed (and lane) that it is of: "seed0/byol_loss"."""
  of = f"seed{row['seed']}" + (f"-lane{row['lane']}" if "lane" in row else "")
  return {f"{of}/{name}": x for name, x in row.items() if name not in ("seed", "step")}


def by_step(rows: Sequence[Row]) -> dict[int, dict[str, float]]:
  """The metrics of rows of all seeds, by step."""
  out: dict[int, dict[str, float]] = {}
  for row in rows:
    out.setdefault(int(row["step"]), {}).update(values(row))
  return out


def check(choices: Sequence[Choice]) -> None:
  """Raises ValueError, one line, for a tracker whose library is not installed."""
  for choice in choices:
    library = registry.get(choice.name).library
    if library and importlib.util.find_spec(library) is None:
      raise ValueError(
        f"--log {choice.name} needs what is not installed ({library}):"
        f" pip install 'rarebird[{choice.name}]'"
      )
