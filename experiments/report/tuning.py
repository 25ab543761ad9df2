"""What the weights were chosen by, as a table."""

from __future__ import annotations

import collections
from typing import Any

from experiments.compare import tuning
from experiments.report.data import Comparison


def table(comparison: Comparison) -> dict[str, Any] | None:
  """The merit of every weight that was tried, by which `compare` chose: bonuses by weights."""
  trials = [row for row in comparison.tuning if "score" in row]
  if not trials:
    return None
  merit = tuning.merits(trials)
  runs = collections.Counter((row["bonus"], float(row["weight"])) for row in trials)
  weights = sorted({weight for _, weight in merit})
  tried = {row["env"] for row in trials}
  chosen = comparison.settings.get("weights") or {}
  return {
    "envs": [env for env in comparison.envs if env in tried],
    "weights": weights,
    "rows": [
      {
        "bonus": bonus,
        "cells": [
          {
            "merit": merit[bonus, weight],
            "runs": runs[bonus, weight],
            "chosen": chosen.get(bonus) == weight,
          }
          if (bonus, weight) in merit
          else None
          for weight in weights
        ],
      }
      for bonus in comparison.bonuses
      if any((bonus, weight) in merit for weight in weights)
    ],
  }
