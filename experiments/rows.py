"""Rows of the log: one a seed and log interval, plain numbers, refused when not finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.errors import UserError

Row = dict[str, float]


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


def check_finite(row: Row, env: str) -> None:
  """Takes the flags `finite` and `finite_params` out of a row.

  Raises:
    UserError: at a NaN or infinite observation, reward, parameter or metric.
  """
  where = f"seed {row['seed']:.0f}, before step {row['step']:.0f}"
  if not row.pop("finite"):
    raise UserError(
      f"NaN or infinite observation or reward from {env!r}, {where}; look at its step()."
      " The last checkpoint is kept."
    )
  bad = [name for name, value in row.items() if not np.isfinite(value)]
  if bad or not row.pop("finite_params"):
    raise UserError(
      f"{', '.join(bad) or 'a parameter'} is not finite, {where}; try a smaller --learning-rate."
      " The last checkpoint is kept."
    )
