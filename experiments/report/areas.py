"""Areas under the curves, and which of them are told apart from the baseline's."""

from __future__ import annotations

from typing import Any

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


def told(comparison: Comparison, env: str) -> list[str]:
  """The variants that may be the best in an environment by their areas, the highest mean first.

  One alone is told to be the best: of all pairs there, corrected by Holm, none of the others but is
  told to differ from it. Empty where fewer than two variants have every seed.
  """
  found = {
    variant: areas
    for variant in comparison.variants
    if (variant, env) in comparison.cells
    and (areas := values(comparison, (variant, env))) is not None
  }
  if len(found) < 2:
    return []
  names = sorted(found, key=lambda variant: -float(found[variant].mean()))
  p = permutation_test.p_values(np.stack([found[name] for name in names])[..., None])
  rows, columns = np.triu_indices(len(names), 1)
  corrected = np.ones_like(p)
  corrected[rows, columns] = permutation_test.holm(p[rows, columns])
  return [names[0]] + [
    name for i, name in enumerate(names) if i and corrected[0, i] >= permutation_test.LEVEL
  ]


def table(comparison: Comparison) -> dict[Cell, dict[str, Any]]:
  """Of each cell with every seed: its mean area, the p-value if it has one, how many seeds solved
  it and the median step at which these had."""
  p = p_values(comparison)
  found = {}
  for cell in comparison.cells:
    areas = values(comparison, cell)
    if areas is None:
      continue
    steps = [row["solved_at"] for row in comparison.finals[cell].values() if "solved_at" in row]
    found[cell] = {
      "area": float(areas.mean()),
      "p": p.get(cell),
      "solved": len(steps),
      "at": float(np.median(steps)) if steps else None,
    }
  return found
