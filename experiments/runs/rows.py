"""Rows of the log: one a seed and log interval, plain numbers, refused when not finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.limits import LIMITS, advice
from experiments.settings.errors import Failed

Row = dict[str, float]
SUMS = ("episodes", "return_sum", "length_sum", "success_sum", "success_known")
"""Metrics that add up, over updates and actors: of the episodes that ended."""


def identity(row: Row) -> tuple[float, float]:
  """Of what was trained side by side, which a row is of: its seed, and in a sweep its lane."""
  return row["seed"], row.get("lane", 0)


def make(metrics: dict[str, Any], seed: int, step: int, steps_per_second: float) -> Row:
  """One row from an interval's metrics; sums over the episodes that ended become means.

  `success_known` of them have a known outcome (see `envs.success`); of none, none is given.
  """
  row: Row = {"seed": seed, "step": step}
  values = {name: float(x) for name, x in metrics.items()}
  episodes, known = values.pop("episodes"), values.pop("success_known")
  for name in ("return", "length", "success"):
    total = values.pop(f"{name}_sum")
    if episodes and (known or name != "success"):
      row[f"episode/{name}"] = total / episodes
  row["episode/count"] = episodes
  return row | values | {"steps_per_second": steps_per_second}


def check_finite(row: Row, env: str, steps: int) -> None:
  """Takes the flag `finite_params` out of a row, and the largest numbers that an environment gave.

  Args:
    row: from `make`.
    env: the environment's name.
    steps: of the interval that the row is of.

  Raises:
    Failed: at a NaN or infinite observation, reward, parameter or metric, or at a huge one.
  """
  where = f"seed {row['seed']:.0f}, steps {row['step'] - steps:,.0f} to {row['step']:,.0f}"
  largest = {name: row.pop(f"largest_{name}", 0.0) for name in LIMITS}
  for name, value in largest.items():
    if not value <= LIMITS[name]:
      raise Failed(f"environment {env!r}, {where}: {name} {value:g}; {advice(name, value)}")
  bad = [name for name, value in row.items() if not np.isfinite(value)]
  if bad or not row.pop("finite_params"):
    seen = [f"{name} {value:g}" for name, value in largest.items() if value and name != "discount"]
    raise Failed(
      f"{', '.join(bad) or 'a parameter'} is not finite, {where}; try a smaller --learning-rate,"
      " or scale rewards and observations down"
      + (f" (the largest: {' and '.join(seen)})." if seen else ".")
    )
