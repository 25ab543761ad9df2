"""Areas under the curves, and which of them are told apart from the baseline's."""

from __future__ import annotations

import numpy as np

from experiments.report import permutation_test
from experiments.report.data import Cell, Comparison


def values(comparison: Comparison, cell: Cell) -> np.ndarray | None:
  """The areas [S] of a cell, in the order of the seeds; None where one is missing."""
  rows = comparison.finals.get(cell, {})
  found = [rows.get(seed, {}).get("auc") for seed in comparison.seeds]
  return None if None in found else np.array(found, np.float64)


def p_values(comparison: Comparison) -> dict[Cell, float]:
  """Of each cell whose variant is not the baseline, that its areas differ from the baseline's in
  the same environment only by chance; all are one family, corrected by Holm."""
  found: dict[Cell, float] = {}
  for variant, env in sorted(comparison.cells):
    own = values(comparison, (variant, env))
    base = values(comparison, (comparison.baseline or "", env))
    if variant != comparison.baseline and own is not None and base is not None:
      runs = np.stack([own, base])[..., None]
      found[variant, env] = float(permutation_test.p_values(runs)[0, 1])
  corrected = permutation_test.holm(np.array([*found.values()])) if found else np.zeros(0)
  return dict(zip(found, map(float, corrected), strict=True))
