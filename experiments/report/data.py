"""Reading the folder of a comparison.

compare.json       what was compared
curves.jsonl       one row a variant, environment, seed and step
finals.jsonl       one row a variant, environment and seed
tuning.jsonl       one row a variant, environment, weight and seed
instruments.jsonl  one row a variant and environment
films.jsonl        two rows a variant and environment: of its best and of its median seed
maps.json          by environment: the map, its metric, random and optimal play

A comparison under way lacks some of it; what there is must be whole.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.report.words import BASELINE, NOUNS
from experiments.settings.errors import UserError

Row = dict[str, Any]
Cell = tuple[str, str]
"""A variant in an environment."""


@dataclasses.dataclass(frozen=True)
class Comparison:
  """What a comparison has found so far.

  Attributes:
    settings: compare.json.
    vary: what was varied, a name of `words.NOUNS`.
    baseline: the variant that the others are compared with; None for none.
    variants, envs: that were to be compared, in order.
    seeds: that were to be run.
    cells: that were to be run, of all pairs of these; a variant does not apply in the others.
    curves: rows of each cell, in the order of the file.
    finals: of each cell, the row of each seed.
    instruments: the row of each cell.
    tuning: rows.
    maps: maps.json.
    films: the rows of each cell, the best seed's first.
  """

  settings: dict[str, Any]
  vary: str
  baseline: str | None
  variants: list[str]
  envs: list[str]
  seeds: list[int]
  cells: set[Cell]
  curves: dict[Cell, list[Row]]
  finals: dict[Cell, dict[int, Row]]
  instruments: dict[Cell, Row]
  tuning: list[Row]
  maps: dict[str, dict[str, Any]]
  films: dict[Cell, list[Row]]

  def is_complete(self, cell: Cell) -> bool:
    """Whether every seed of a cell has a score."""
    return all(seed in self.finals.get(cell, {}) for seed in self.seeds)

  def steps(self, env: str) -> int | None:
    """Environment steps of one seed there, where it is known."""
    return self.settings.get("steps_in", {}).get(env) or self.settings.get("steps")

  def applies_everywhere(self, variant: str) -> bool:
    """Whether a variant was to be run in every environment."""
    return all((variant, env) in self.cells for env in self.envs)


def read(folder: Path) -> Comparison:
  """Reads a comparison; what it names twice counts as it was last written.

  Raises:
    UserError: one line that names the file, and the line of it, that cannot be used.
  """
  settings = _read_json(folder / "compare.json")
  if settings is None:
    raise UserError(f"{folder} holds no comparison (no compare.json).")
  try:
    # Comparisons of 0.1 varied bonuses alone, and named their columns so.
    variants = [str(name) for name in settings.get("variants") or settings["bonuses"]]
    envs = [str(name) for name in settings["envs"]]
    seeds = [int(seed) for seed in settings["seeds"]]
    pairs = {(variant, env) for variant in variants for env in envs}
    named = settings.get("cells")
    cells = pairs if named is None else {_cell(cell) for cell in named} & pairs
  except (KeyError, TypeError, ValueError) as error:
    raise UserError(
      f"{folder / 'compare.json'} must list variants, envs and seeds, and of cells variant and env"
      f" ({error!r})."
    ) from error
  vary = settings.get("vary", "bonus")
  if vary not in NOUNS:
    raise UserError(f"{folder / 'compare.json'} varies {vary!r}; known: {', '.join(NOUNS)}.")
  maps = _read_maps(folder / "maps.json")

  def rows(name: str, numbers: tuple[str, ...]) -> list[Row]:
    check = _checker(numbers, maps)
    found = _read_rows(folder / name, check)
    return [row for row in found if (row["variant"], row["env"]) in cells]

  curves: dict[Cell, list[Row]] = {}
  for row in rows("curves.jsonl", ("seed", "step")):
    curves.setdefault((row["variant"], row["env"]), []).append(row)
  finals: dict[Cell, dict[int, Row]] = {}
  for row in rows("finals.jsonl", ("seed",)):
    if row["seed"] in seeds and "score" in row:
      finals.setdefault((row["variant"], row["env"]), {})[row["seed"]] = row
  films: dict[Cell, list[Row]] = {}
  for row in rows("films.jsonl", ("seed",)):
    films.setdefault((row["variant"], row["env"]), []).append(row)
  return Comparison(
    settings=settings,
    vary=vary,
    baseline=settings.get("baseline", BASELINE if BASELINE in variants else None),
    variants=variants,
    envs=envs,
    seeds=seeds,
    cells=cells,
    curves=curves,
    finals=finals,
    instruments={(row["variant"], row["env"]): row for row in rows("instruments.jsonl", ())},
    tuning=rows("tuning.jsonl", ("seed", "weight")),
    maps=maps,
    films=films,
  )


def _cell(cell: Row) -> Cell:
  return cell["variant" if "variant" in cell else "bonus"], cell["env"]


def _read_json(path: Path) -> Any:
  try:
    data = json.loads(path.read_text("utf-8"))
  except (FileNotFoundError, NotADirectoryError):
    return None
  except ValueError as error:
    raise UserError(f"{path} cannot be read: {error}.") from error
  if not isinstance(data, dict):
    raise UserError(f"{path} cannot be read: expected an object.")
  return data


def _read_maps(path: Path) -> dict[str, Any]:
  """Maps by environment, each without what is null in it."""
  found = {}
  for env, known in (_read_json(path) or {}).items():
    if not isinstance(known, dict):
      raise UserError(f"{path}: {env} is {known!r}, expected an object.")
    found[env] = {key: value for key, value in known.items() if value is not None}
    sides = found[env].get("rows", 0), found[env].get("columns", 0)
    if np.shape(found[env].get("reachable", ())) != (sides[0] * sides[1],):
      raise UserError(f"{path}: {env} must tell of {sides[0]} x {sides[1]} places if reachable.")
  return found


def _read_rows(path: Path, check: Callable[[Row], None]) -> list[Row]:
  """Rows of a file of JSON lines, less a last one that a killed process left unfinished."""
  try:
    lines = path.read_text("utf-8").split("\n")
  except FileNotFoundError:
    return []
  except UnicodeDecodeError as error:
    raise UserError(f"{path} cannot be read: {error}.") from error
  rows = []
  for number, line in enumerate(lines, 1):
    if not line:
      continue
    try:
      row = json.loads(line)
    except ValueError as error:
      if number == len(lines):
        break
      raise UserError(f"{path} line {number} cannot be read: {error}.") from error
    if isinstance(row, dict) and "variant" not in row and "bonus" in row:
      row["variant"] = row.pop("bonus")
    try:
      check(row)
    except (ValueError, TypeError) as error:
      raise UserError(f"{path} line {number}: {error}.") from error
    rows.append({key: value for key, value in row.items() if not _is_missing(value)})
  return rows


def _is_missing(value: Any) -> bool:
  return value is None or (isinstance(value, float) and not math.isfinite(value))


TEXTS = ("variant", "env", "command", "which", "png")
NUMBERS = {"score", "auc", "coverage", "rooms", "near_noise", "seconds", "compile_seconds"}
NUMBERS |= {
  "steps",
  "solved_at",
  "steps_per_second",
  "memory_bytes",
  "bonus_familiar",
  "bonus_novel",
  "discovery_loss",
}
"""Numbers that the page calculates with; each may be absent, or null."""


def _checker(numbers: tuple[str, ...], maps: dict[str, Any]) -> Callable[[Row], None]:
  """A check of rows that must have `variant`, `env` and these numbers; it raises ValueError."""

  def check(row: Any) -> None:
    if not isinstance(row, dict):
      raise ValueError("expected an object")
    absent = [key for key in ("variant", "env", *numbers) if row.get(key) is None]
    if absent:
      raise ValueError(f"no {', '.join(absent)}")
    for key in TEXTS:
      if not isinstance(row.get(key, ""), str):
        raise ValueError(f"{key} is {row[key]!r}, expected a text")
    for key in {*numbers, *NUMBERS}:
      if not isinstance(row.get(key) or 0, int | float):
        raise ValueError(f"{key} is {row[key]!r}, expected a number")
    known = maps.get(row["env"]) or {}
    places = known.get("rows", 0) * known.get("columns", 0)
    for key in ("visits", "first_visit"):
      if row.get(key) is not None and np.asarray(row[key], np.float64).shape != (places,):
        raise ValueError(f"{key} has {len(row[key])} entries, the map of {row['env']} {places}")
    trajectory = row.get("trajectory") or {}
    columns = {key: np.asarray(of, np.float64) for key, of in trajectory.items() if of is not None}
    if len({column.shape for column in columns.values()}) > 1:
      raise ValueError("columns of trajectory differ in length")
    place = columns.get("place", np.zeros(0))
    if np.any((place < 0) | (place >= places)):
      raise ValueError(f"trajectory leaves the map of {row['env']}, which has {places} places")

  return check
