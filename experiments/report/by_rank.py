"""What each variant does, and what it holds, of the common and of the rare, by rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.report import charts, statistics
from experiments.report.charts import Curve
from experiments.report.data import Comparison
from experiments.report.styles import Style
from experiments.report.words import NOUNS

Shares = dict[str, list[float | None]]
"""By what is ranked, a share of each rank; None of one that did not occur."""
Read = Callable[[dict[str, Any]], Shares]
"""(a row of finals.jsonl) -> what is drawn of it."""


def figures(comparison: Comparison, looks: dict[str, Style]) -> list[dict[str, Any]]:
  """A chart of the success of each thing that is ranked in each environment: `env`, `name` and
  `chart`."""
  return _figures(comparison, looks, "success", _success, _random)


def probed(comparison: Comparison, looks: dict[str, Style]) -> list[dict[str, Any]]:
  """The same of the accuracy of linear probes."""
  return _figures(comparison, looks, "probe accuracy", _accuracy, _chance)


def _success(row: dict[str, Any]) -> Shares:
  return row.get("ranks") or {}


def _accuracy(row: dict[str, Any]) -> Shares:
  return {name: probe["by_rank"] for name, probe in row.get("probes", {}).items()}


def _figures(
  comparison: Comparison,
  looks: dict[str, Style],
  what: str,
  read: Read,
  reference: Callable[[Comparison, str, str], np.ndarray | None],
) -> list[dict[str, Any]]:
  found = []
  for env in comparison.envs:
    for name in _ranked(comparison, env, read):
      curves = _curves(comparison, env, name, looks, read)
      label = (
        f"{what} of {len(curves)} {NOUNS[comparison.vary].many} in {env} against the rank of the"
        f" {name}"
      )
      axis = f"rank of the {name}, the commonest first"
      chart = charts.by_rank(curves, reference(comparison, env, name), axis, label)
      found.append({"env": env, "name": name, "chart": chart})
  return found


def _ranked(comparison: Comparison, env: str, read: Read) -> list[str]:
  """What is ranked in an environment, as far as a finished cell tells."""
  for variant in comparison.variants:
    for row in comparison.finals.get((variant, env), {}).values():
      if shares := read(row):
        return list(shares)
  return []


def _curves(
  comparison: Comparison, env: str, name: str, looks: dict[str, Style], read: Read
) -> list[Curve]:
  found = []
  for variant in comparison.variants:
    rows = comparison.finals.get((variant, env), {}).values()
    values = [shares[name] for shares in map(read, rows) if name in shares]
    if values:
      shares = np.array(values, np.float64)  # null, of a rank without an episode, becomes NaN
      ranks = np.arange(1.0, shares.shape[1] + 1.0)
      found.append(Curve(looks[variant], ranks, statistics.mean_over_seeds(shares)))
  return found


def _random(comparison: Comparison, env: str, name: str) -> np.ndarray | None:
  """Success of random play by rank."""
  for variant in comparison.variants:
    row = comparison.instruments.get((variant, env), {})
    if name in row.get("random_by_rank", {}):
      return np.array(row["random_by_rank"][name], np.float64)
  return None


def _chance(comparison: Comparison, env: str, name: str) -> np.ndarray | None:
  """Accuracy of guessing, the same at each rank."""
  for variant in comparison.variants:
    for row in comparison.finals.get((variant, env), {}).values():
      if name in row.get("probes", {}):
        probe = row["probes"][name]
        return np.full(len(probe["by_rank"]), probe["chance"])
  return None
