"""Log writers: JSONL and TensorBoard, appended to, and never twice for the same step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tensorboardX

from experiments.runs import run_folder
from experiments.runs.rows import identity


class Logs:
  """Appends rows to metrics.jsonl and to TensorBoard.

  A resumed run repeats (on_device: bit for bit) the rows between its checkpoint and where it was
  killed; they stand in the log already and are not written again.
  """

  def __init__(self, folder: Path):
    self._folder = folder
    path = folder / "metrics.jsonl"
    rows = run_folder.read_rows(folder)
    self._written = {(*identity(row), row["step"]) for row in rows}
    if path.exists():  # drop what a killed process left of a row
      whole = path.read_bytes()
      with open(path, "r+b") as file:
        file.truncate(whole.rfind(b"\n") + 1)
    self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 - held until close()
    self._board = tensorboardX.SummaryWriter(str(folder / "tensorboard"))

  def write(self, rows: list[dict[str, Any]]) -> None:
    for row in rows:
      if (*identity(row), row["step"]) in self._written:
        continue
      self._file.write(json.dumps(row) + "\n")
      of = f"seed{row['seed']}" + (f"-lane{row['lane']}" if "lane" in row else "")
      for name, value in row.items():
        if name not in ("seed", "step"):
          self._board.add_scalar(f"{of}/{name}", value, row["step"])
    self._file.flush()
    self._board.flush()  # TensorBoard is not written again on resuming either

  def warn(self, text: str) -> None:
    """Appends a line to warnings.log."""
    with open(self._folder / "warnings.log", "a", encoding="utf-8") as file:
      file.write(text + "\n")

  def close(self) -> None:
    self._file.close()
    self._board.close()
