"""Areas under the curves, which of them are told apart, and when each environment was solved."""

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

  One alone is told to be the best: of all pairs there, corrected by Holm, each of the others is
  told to be worse. Empty where fewer than two variants have every seed.
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
  table = np.stack([found[name] for name in names])
  p = permutation_test.p_values(table[..., None])
  rows, columns = np.triu_indices(len(names), 1)
  corrected = np.ones_like(p)
  corrected[rows, columns] = permutation_test.holm(p[rows, columns])
  # The highest mean may be one seed's, and its other seeds worse than another's: the test goes by
  # ranks, and may tell a difference the other way round.
  ahead = np.sign(table[0][:, None] - table[:, None, :]).mean(axis=(1, 2)) > 0
  worse = ahead & (corrected[0] < permutation_test.LEVEL)
  return [name for name, told_worse in zip(names, worse, strict=True) if not told_worse]


def can_tell(comparison: Comparison, env: str) -> bool:
  """Whether a test of all pairs in an environment could tell any difference, with so few seeds."""
  count = sum(
    values(comparison, (variant, env)) is not None
    for variant in comparison.variants
    if (variant, env) in comparison.cells
  )
  least = permutation_test.smallest(len(comparison.seeds), 1)
  return least * count * (count - 1) / 2 < permutation_test.LEVEL


def solved(comparison: Comparison, cell: Cell) -> list[float] | None:
  """The steps from which the seeds that solved a cell had; None where its data does not tell."""
  rows = comparison.finals.get(cell, {}).values()
  # `steps` came with `solved_at`, which is missing also where a seed did not solve it.
  if not rows or not all("steps" in row for row in rows):
    return None
  return sorted(row["solved_at"] for row in rows if "solved_at" in row)


def half_solved(comparison: Comparison, cell: Cell) -> float | None:
  """The step by which half of a cell's seeds had solved it; None if they did not."""
  steps = solved(comparison, cell) or []
  half = -(-len(comparison.seeds) // 2)
  return steps[half - 1] if len(steps) >= half else None


def table(comparison: Comparison) -> dict[Cell, dict[str, Any]]:
  """Of each cell with every seed: its mean area, the p-value if it has one, how many seeds solved
  it and the median step at which these had; None where that is not told."""
  p = p_values(comparison)
  found = {}
  for cell in comparison.cells:
    areas = values(comparison, cell)
    if areas is None:
      continue
    steps = solved(comparison, cell)
    found[cell] = {
      "area": float(areas.mean()),
      "p": p.get(cell),
      "solved": None if steps is None else len(steps),
      "at": float(np.median(steps)) if steps else None,
    }
  return found
