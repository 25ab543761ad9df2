"""The data of a comparison: JSON lines, one file a kind, each written at once or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from experiments.compare.plan import Cell
from experiments.runs.files import finite, write_atomically
from experiments.settings.errors import UserError

Row = dict[str, Any]


def read(folder: Path, name: str) -> list[Row]:
  """The rows of a file; none if there is no such file.

  Raises:
    UserError: for a file that is damaged.
  """
  path = folder / name
  try:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
  except FileNotFoundError:
    return []
  except ValueError as error:
    raise UserError(f"{path} cannot be read: {error}.") from error


def replace(folder: Path, name: str, cell: Cell, rows: list[Row]) -> None:
  """Puts a cell's rows in the place of those that it may have, so that doing it twice is safe."""
  kept = [
    row for row in read(folder, name) if (row["variant"], row["env"]) != (cell.variant, cell.env)
  ]
  named = [{"variant": cell.variant, "env": cell.env} | row for row in rows]
  text = "".join(json.dumps(finite(row), allow_nan=False) + "\n" for row in kept + named)
  write_atomically(folder / name, text.encode())


def cells(folder: Path, name: str) -> set[Cell]:
  """The cells that have rows in a file."""
  return {Cell(row["variant"], row["env"]) for row in read(folder, name)}
