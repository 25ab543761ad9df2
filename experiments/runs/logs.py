"""The log of a run: JSONL and trackers, appended to, and never twice for the same step."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from envs.registry import Choice
from experiments import trackers
from experiments.runs import run_folder
from experiments.runs.files import write_atomically
from experiments.runs.rows import identity
from experiments.trackers.background import Guarded

ID = "tracker_id"
"""File with what a run is known by where it is tracked."""


class Logs:
  """Appends rows to metrics.jsonl and tells them to trackers.

  A resumed run repeats (on_device: bit for bit) the rows between its checkpoint and where it was
  killed; they stand in the log already and are not written again.
  """

  def __init__(
    self,
    folder: Path,
    choices: Sequence[Choice],
    tell: Callable[[str], None] = lambda line: None,
  ):
    """Opens them.

    Args:
      folder: of the run.
      choices: the trackers.
      tell: takes the line that a tracker has failed, which stands in warnings.log too.
    """
    self._folder = folder
    path = folder / "metrics.jsonl"
    rows = run_folder.read_rows(folder)
    self._written = {(*identity(row), row["step"]) for row in rows}
    if path.exists():  # drop what a killed process left of a row
      whole = path.read_bytes()
      with open(path, "r+b") as file:
        file.truncate(whole.rfind(b"\n") + 1)
    self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 - held until close()

    def failed(line: str) -> None:
      self.warn(line)
      tell(line)

    tracked = _tracked(folder)
    self._trackers = [
      Guarded(choice.name, trackers.registry.build(choice, tracked), failed) for choice in choices
    ]

  def write(self, rows: list[dict[str, Any]]) -> None:
    new = [row for row in rows if (*identity(row), row["step"]) not in self._written]
    self._file.writelines(json.dumps(row) + "\n" for row in new)
    self._file.flush()
    for tracker in self._trackers:  # which are not told again on resuming either
      tracker.write(new)

  def warn(self, text: str) -> None:
    """Appends a line to warnings.log."""
    with open(self._folder / "warnings.log", "a", encoding="utf-8") as file:
      file.write(text + "\n")

  def close(self) -> None:
    self._file.close()
    for tracker in self._trackers:
      tracker.close()


def _tracked(folder: Path) -> trackers.Tracked:
  path = folder / ID
  if not path.exists():
    write_atomically(path, secrets.token_hex(4).encode())
  config = run_folder.read_json(folder, "config.json") or {}
  return trackers.Tracked(folder, folder.resolve().name, path.read_text("utf-8").strip(), config)
