"""Success by rank: what each variant does in what is common, and in what is rare."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.report import charts, statistics
from experiments.report.charts import Curve
from experiments.report.data import Comparison
from experiments.report.styles import Style
from experiments.report.words import NOUNS


def figures(comparison: Comparison, looks: dict[str, Style]) -> list[dict[str, Any]]:
  """A chart of each thing that is ranked in each environment: `env`, `name` and `chart`."""
  found = []
  for env in comparison.envs:
    for name in _ranked(comparison, env):
      curves, random = _curves(comparison, env, name, looks), _random(comparison, env, name)
      label = (
        f"success of {len(curves)} {NOUNS[comparison.vary].many} in {env} against the rank of the"
        f" {name}"
      )
      chart = charts.by_rank(curves, random, f"rank of the {name}, the commonest first", label)
      found.append({"env": env, "name": name, "chart": chart})
  return found


def _ranked(comparison: Comparison, env: str) -> list[str]:
  """What is ranked in an environment, as far as a finished cell tells."""
  for variant in comparison.variants:
    for row in comparison.finals.get((variant, env), {}).values():
      if row.get("ranks"):
        return list(row["ranks"])
  return []


def _curves(comparison: Comparison, env: str, name: str, looks: dict[str, Style]) -> list[Curve]:
  found = []
  for variant in comparison.variants:
    rows = comparison.finals.get((variant, env), {}).values()
    values = [row["ranks"][name] for row in rows if name in row.get("ranks", {})]
    if values:
      shares = np.array(values, np.float64)  # null, of a rank without an episode, becomes NaN
      ranks = np.arange(1.0, shares.shape[1] + 1.0)
      found.append(Curve(looks[variant], ranks, statistics.mean_over_seeds(shares)))
  return found


def _random(comparison: Comparison, env: str, name: str) -> np.ndarray | None:
  for variant in comparison.variants:
    row = comparison.instruments.get((variant, env), {})
    if name in row.get("random_by_rank", {}):
      return np.array(row["random_by_rank"][name], np.float64)
  return None
