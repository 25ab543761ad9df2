"""`rarebird status`: looks at a run under way."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.commands import terminal
from experiments.runs import file_lock, run_folder
from experiments.settings import flags, reader

EVENTS = 5
"""Newest events that `status` shows."""


@dataclasses.dataclass(frozen=True)
class RunConfig:
  """A run."""

  run: Path = flags.positional()
  """The run folder."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  config = reader.read("status", arguments, RunConfig(flags.REQUIRED), about)
  return functools.partial(status, config.run, terminal.console())


def is_running(path: Path) -> bool:
  """Whether a process holds the run's lock."""
  return file_lock.is_held(path / "lock")


def status(path: Path, console: Console) -> int:
  """Prints how far a run is, how fast it goes, and its nodes if it has some."""
  config = run_folder.read_config(path)
  running = is_running(path)
  rows = run_folder.read_rows(path)
  cluster: dict[str, Any] = run_folder.read_json(path, "status.json") or {}
  step = max(cluster.get("steps", 0), int(rows[-1]["step"]) if rows else 0)
  rate = f", {rows[-1]['steps_per_second']:,.0f} steps/s" if rows and running else ""
  console.print(
    f"{path}: {'running' if running else 'not running'}, step {step:,} of {config.steps:,}{rate}",
    highlight=False,
    markup=False,
  )
  if cluster and running:
    table = Table(caption=f"as of {time.time() - cluster['time']:.0f} s ago")
    for column in ("node", "state", "host", "pid", "restarts", "recovered in"):
      table.add_column(column, justify="right" if column in ("pid", "restarts") else "left")
    for node in cluster["nodes"]:
      table.add_row(
        node["name"],
        node["state"],
        node["host"] or "-",
        str(node["pid"] or "-"),
        str(node["restarts"]),
        f"{node['recovered_seconds']:.1f} s" if node["recovered_seconds"] else "-",
      )
    console.print(table)
  try:
    events = (path / "events.log").read_text("utf-8").splitlines()
  except FileNotFoundError:
    events = []
  for line in events[-EVENTS:]:
    console.print(line, highlight=False, markup=False)
  return 0
