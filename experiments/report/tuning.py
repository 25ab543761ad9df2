"""What the weights were chosen by, as a table."""

from __future__ import annotations

import collections
from typing import Any

from experiments.compare import tuning
from experiments.report.data import Comparison


def table(comparison: Comparison) -> dict[str, Any] | None:
  """The merit of every weight that was tried, by which `compare` chose: variants by weights."""
  trials = [row for row in comparison.tuning if "score" in row]
  if not trials:
    return None
  merit = tuning.merits(trials)
  runs = collections.Counter((row["variant"], float(row["weight"])) for row in trials)
  weights = sorted({weight for _, weight in merit})
  tried = {row["env"] for row in trials}
  chosen = comparison.settings.get("weights") or {}
  return {
    "envs": [env for env in comparison.envs if env in tried],
    "weights": weights,
    "rows": [
      {
        "variant": variant,
        "cells": [
          {
            "merit": merit[variant, weight],
            "runs": runs[variant, weight],
            "chosen": chosen.get(variant) == weight,
          }
          if (variant, weight) in merit
          else None
          for weight in weights
        ],
      }
      for variant in comparison.variants
      if any((variant, weight) in merit for weight in weights)
    ],
  }
