"""What each variant's representation holds: the accuracy of probes beside score and cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.report.data import Comparison

COLUMNS = ("all", "common", "rare", "untrained", "chance")


def table(comparison: Comparison) -> list[dict[str, Any]]:
  """A row for each cell and label, the means over seeds: `env`, `label`, `variant`, `score`,
  `seconds` and COLUMNS; none where no cell was probed."""
  found = []
  for env in comparison.envs:
    cells = {v: list(comparison.finals.get((v, env), {}).values()) for v in comparison.variants}
    probed = [row.get("probes", {}) for rows in cells.values() for row in rows]
    names = dict.fromkeys(name for each in probed for name in each)
    for name in names:
      for variant, rows in cells.items():
        told = [row["probes"][name] for row in rows if name in row.get("probes", {})]
        if told:
          row: dict[str, Any] = {"env": env, "label": name, "variant": variant}
          row |= {column: _mean(one.get(column) for one in told) for column in COLUMNS}
          row["score"] = _mean(row.get("score") for row in rows)
          found.append(row | {"seconds": _mean(row.get("seconds") for row in rows)})
  return found


def _mean(values: Any) -> float:
  known = [x for x in values if x is not None]
  return float(np.mean(known)) if known else float("nan")
