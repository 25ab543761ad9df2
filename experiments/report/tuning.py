"""What the weights were chosen by, as a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.report.data import Comparison

Trial = tuple[str, float]
"""A bonus with a weight."""


def table(comparison: Comparison) -> dict[str, Any] | None:
  """The merit of every weight that was tried: rows of bonuses, columns of weights.

  The merit is the area under the curve in an environment, mean over seeds, as a share of the
  highest of any bonus and weight there (0 where none scored), and of these the mean over
  environments.
  """
  areas: dict[str, dict[Trial, list[float]]] = {}
  for row in comparison.tuning:
    if "score" in row:
      trial = row["bonus"], float(row["weight"])
      areas.setdefault(row["env"], {}).setdefault(trial, []).append(row["score"])
  if not areas:
    return None
  shares: dict[Trial, list[float]] = {}
  runs: dict[Trial, int] = {}
  for tried in areas.values():
    best = max(float(np.mean(found)) for found in tried.values())
    for trial, found in tried.items():
      shares.setdefault(trial, []).append(float(np.mean(found)) / best if best > 0 else 0.0)
      runs[trial] = runs.get(trial, 0) + len(found)
  weights = sorted({weight for _, weight in shares})
  chosen = comparison.settings.get("weights") or {}
  return {
    "envs": [env for env in comparison.envs if env in areas],
    "weights": weights,
    "rows": [
      {
        "bonus": bonus,
        "cells": [
          {
            "merit": float(np.mean(shares[bonus, weight])),
            "runs": runs[bonus, weight],
            "chosen": chosen.get(bonus) == weight,
          }
          if (bonus, weight) in shares
          else None
          for weight in weights
        ],
      }
      for bonus in comparison.bonuses
      if any((bonus, weight) in shares for weight in weights)
    ],
  }
