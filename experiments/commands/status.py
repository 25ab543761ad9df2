"""`rarebird status` and `rarebird stop`: look at a run under way, and end it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.runs import file_lock, run_folder
from experiments.settings.errors import UserError

STOP_SECONDS = 120.0
"""How long `stop` waits for a run to save and end."""
EVENTS = 5
"""Newest events that `status` shows."""


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


def stop(path: Path, console: Console) -> int:
  """Asks a run to save and end, and waits until it has."""
  run_folder.read_config(path)
  if not is_running(path):
    console.print(f"{path} is not running.", markup=False)
    return 0
  (path / "stop").touch()
  deadline = time.monotonic() + STOP_SECONDS
  with console.status("waiting for the run to save and end"):
    while is_running(path):
      if time.monotonic() > deadline:
        raise UserError(f"{path} did not end within {STOP_SECONDS:.0f} s; end its process.")
      time.sleep(0.1)
  console.print(f"{path} has ended; the same command resumes what is left of it.", markup=False)
  return 0
