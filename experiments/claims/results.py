"""The rows of claims: JSON lines in a folder, which say what is done, and a table of them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.stats

from experiments.claims.claim import Claim, Row
from experiments.runs.files import finite, write_atomically
from experiments.settings.errors import UserError


def read(path: Path) -> list[Row]:
  """The rows of a file, none where there is no file; UserError where one cannot be read."""
  if not path.exists():
    return []
  rows = []
  for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
    try:
      row = json.loads(line)
      rows.append(row | {"arm": str(row["arm"]), "seed": int(row["seed"])})
    except (ValueError, KeyError, TypeError) as error:
      raise UserError(f"{path}, line {number}: not a row of a claim; remove it.") from error
  return rows


def write(path: Path, rows: Sequence[Row]) -> None:
  """Writes all rows, or leaves the file as it was."""
  path.parent.mkdir(parents=True, exist_ok=True)
  text = "".join(json.dumps(finite(row), allow_nan=False) + "\n" for row in rows)
  write_atomically(path, text.encode())


def missing(rows: Sequence[Row], arm: str, seeds: Sequence[int]) -> list[int]:
  """The seeds of an arm that are in no row."""
  done = {row["seed"] for row in rows if row["arm"] == arm}
  return [seed for seed in seeds if seed not in done]


def interval(values: Sequence[float | None], form: str) -> str:
  """Mean and 95% t-interval over seeds: "68% [65, 71]"; without an interval of a single one."""
  known = np.array([x for x in values if x is not None and math.isfinite(x)], np.float64)
  if not known.size:
    return "-"
  mean = form.format(known.mean())
  if known.size == 1 or np.ptp(known) == 0.0:
    return mean
  half = scipy.stats.t.ppf(0.975, known.size - 1) * scipy.stats.sem(known)
  low, high = (form.format(known.mean() + sign * half).rstrip("%") for sign in (-1, 1))
  return f"{mean} [{low}, {high}]"


def table(claim: Claim, rows: Sequence[Row]) -> list[list[str]]:
  """Lines of a table: its head, then an arm each, of those that are done."""
  lines = [["", "seeds", *(name.replace("_", " ") for name in claim.columns)]]
  for arm in claim.arms:
    own = [row for row in rows if row["arm"] == arm]
    if own:
      told = [interval([row.get(k) for row in own], form) for k, form in claim.columns.items()]
      lines.append([arm, str(len(own)), *told])
  return lines


def markdown(lines: Sequence[Sequence[str]]) -> str:
  """The same as a page has it."""
  head, *rest = lines
  rows = [head, ["---"] * len(head), *rest]
  return "\n".join("| " + " | ".join(row) + " |" for row in rows)
