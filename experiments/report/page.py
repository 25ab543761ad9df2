"""The page of a comparison: one HTML file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jinja2
import numpy as np

from experiments.evaluation import pictures
from experiments.report import charts, headline, maps, permutation_test, statistics, tuning
from experiments.report.charts import Curve, Mark
from experiments.report.data import Comparison, Row
from experiments.report.results import LEAST_SPAN, Cost, Results, aggregate, cost
from experiments.report.statistics import Estimate
from experiments.report.styles import BASELINE, Style, styles

POINTS = 100
"""Most points of a drawn curve; a longer log is averaged over stretches of it."""


def render(comparison: Comparison) -> str:
  """The page as HTML; the same text for the same data."""
  looks = styles(comparison.bonuses)
  results = aggregate(comparison)
  worlds = [_world(comparison, name, looks) for name in comparison.envs]
  costs = {
    bonus: found for bonus in comparison.bonuses if (found := cost(comparison, bonus)) is not None
  }
  env = jinja2.Environment(
    loader=jinja2.PackageLoader("experiments.report"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
  )
  env.filters |= {
    "number": number,
    "digits": digits,
    "percent": percent,
    "seconds": seconds,
    "bytes": megabytes,
    "count": count,
  }
  env.tests["known"] = known
  return env.get_template("page.html").render(
    comparison=comparison,
    settings=comparison.settings,
    title=_title(comparison),
    facts=_facts(comparison),
    looks=looks,
    results=results,
    costs=costs,
    headline=headline.sentences(results, costs),
    notes=headline.notes(comparison, results),
    interval=headline.interval,
    charts=_result_charts(results, looks) | _cost_charts(costs, looks),
    improvements=_improvements(results) if results else [],
    differing=_differs_from_baseline(results),
    scores=_scores(comparison),
    worlds=worlds,
    tuning=tuning.table(comparison),
    rewarded=[
      env for env in comparison.envs if comparison.maps.get(env, {}).get("metric") != "coverage"
    ],
    instrumented={
      env: {bonus for bonus, where in comparison.instruments if where == env}
      for env in comparison.envs
    },
    commands=_commands(comparison),
    least=lambda envs: permutation_test.smallest(len(comparison.seeds), envs),
    signed=any(card.get("signed") for world in worlds for card in world["cards"]),
    gradient=maps.gradient,
    colours=(maps.COLOURS, maps.SIGNED),
    level=permutation_test.LEVEL,
    least_span=LEAST_SPAN,
    resamples=statistics.RESAMPLES,
    points=POINTS,
  )


def _title(comparison: Comparison) -> str:
  def some(things: list[str], one: str, many: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else many}"

  bonuses = some(comparison.bonuses, "exploration bonus", "exploration bonuses")
  return f"{bonuses} in {some(comparison.envs, 'environment', 'environments')}"


def _facts(comparison: Comparison) -> list[tuple[str, str]]:
  """What was compared, on what and when, as far as the settings tell."""
  settings = comparison.settings
  steps = settings.get("steps")
  used = (settings.get("machine") or {}) | (settings.get("versions") or {})
  facts = [
    ("seeds of each", str(len(comparison.seeds))),
    ("steps of each seed", f"{steps:,}" if steps else ""),
    ("date", str(settings.get("date") or "")),
    *(
      (name, ", ".join(map(str, x)) if isinstance(x, list) else str(x)) for name, x in used.items()
    ),
  ]
  return [(name.replace("_", " "), value) for name, value in facts if value]


# Numbers in words; a dash for what is not known


def known(value: float | None) -> bool:
  return value is not None and math.isfinite(value)


def _or_dash(write: Callable[[float], str]) -> Callable[[float | None], str]:
  return lambda value: write(value) if value is not None and math.isfinite(value) else "\N{EN DASH}"


number = _or_dash("{:.2f}".format)
digits = _or_dash("{:.3g}".format)
percent = _or_dash("{:.0%}".format)
count = _or_dash("{:,.0f}".format)
megabytes = _or_dash(lambda value: f"{value / 2**20:,.0f} MiB")
seconds = _or_dash(lambda value: f"{value:.1f} s" if value < 100 else f"{value / 60:,.1f} min")


# Charts of aggregates


def _result_charts(results: Results | None, looks: dict[str, Style]) -> dict[str, Any]:
  if results is None:
    return {}
  order = results.order()
  base = results.baseline()

  def marks(estimate: Estimate, rows: Sequence[int]) -> list[Mark]:
    return [
      Mark(
        results.bonuses[i],
        looks[results.bonuses[i]],
        float(estimate.value[i]),
        float(estimate.low[i]),
        float(estimate.high[i]),
      )
      for i in rows
    ]

  drawn = {
    "score": charts.forest(
      marks(results.score, sorted(order, key=lambda i: -results.score.value[i])),
      None if base is None else float(results.score.value[base]),
      "interquartile mean of normalised scores",
      "Interquartile mean of each bonus's normalised scores with its interval",
    ),
    "rank": charts.forest(
      marks(results.rank, sorted(order, key=lambda i: results.rank.value[i])),
      None,
      "mean rank (1 is best)",
      "Mean rank of each bonus with its interval",
    ),
  }
  if base is not None and len(order) > 1:
    improvement = results.improvement[:, base]
    rows = sorted((i for i in order if i != base), key=lambda i: -improvement.value[i])
    drawn["improvement"] = charts.forest(
      marks(improvement, rows),
      0.5,
      "probability of improvement over none",
      "Probability that each bonus outdoes no bonus, with its interval",
    )
  return drawn


def _cost_charts(costs: dict[str, Cost], looks: dict[str, Style]) -> dict[str, Any]:
  drawn = {}
  for name, axis in (("time", "wall-clock time"), ("memory", "memory")):
    marks = [
      Mark(bonus, looks[bonus], *ratio)
      for bonus, found in costs.items()
      if known((ratio := getattr(found, name))[0])
    ]
    if len(marks) > 1:
      drawn[name] = charts.forest(
        sorted(marks, key=lambda mark: mark.value),
        1.0,
        f"{axis}, times that of none",
        f"{axis} of each bonus as a ratio to that of no bonus",
        "{:.2f}\N{MULTIPLICATION SIGN}",
      )
  return drawn


def _differs_from_baseline(results: Results | None) -> set[str]:
  """The bonuses that are told to differ from the baseline."""
  if results is None or (base := results.baseline()) is None:
    return set()
  return {results.bonuses[i] for i in np.flatnonzero(results.differs_from(base))}


def _improvements(results: Results) -> list[dict[str, Any]]:
  """Rows of the matrix: a bonus, and against each in the same order what is known."""
  order, differs = results.order(), results.differs()
  rows = []
  for i in order:
    cells = []
    for j in order:
      found = results.improvement[i, j]
      cells.append(
        None
        if i == j
        else {
          "value": found.value,
          "interval": headline.interval(found),
          "certain": bool(differs[i, j]),
          "strength": round(abs(float(found.value) - 0.5) * 2, 3),
        }
      )
    rows.append({"bonus": results.bonuses[i], "cells": cells})
  return rows


# By environment


def _scores(comparison: Comparison) -> dict[str, Any]:
  """The mean final score of every cell, and how many of them were tested.

  Of each also whether it is the highest in its environment, and whether it is told to differ from
  the baseline's there, of all cells that have every seed.
  """
  means = {
    cell: statistics.mean_over_seeds(np.array([[row["score"]] for row in rows.values()]))[0]
    for cell, rows in comparison.finals.items()
  }
  best: dict[str, float] = {}
  for (_, env), mean in means.items():
    best[env] = max(float(mean.value), best.get(env, -np.inf))
  p: dict[tuple[str, str], float] = {}
  for bonus, env in means:
    pair = (bonus, env), (BASELINE, env)
    if bonus != BASELINE and all(map(comparison.is_complete, pair)):
      runs = [[comparison.finals[c][seed]["score"] for seed in comparison.seeds] for c in pair]
      p[bonus, env] = permutation_test.p_values(np.array(runs)[..., None])[0, 1]
  corrected = dict(zip(p, permutation_test.holm(np.array([*p.values()])), strict=True))
  cells = {
    cell: {
      "mean": mean,
      "best": bool(mean.value == best[cell[1]]),
      "certain": corrected.get(cell, 1.0) < permutation_test.LEVEL,
    }
    for cell, mean in means.items()
  }
  return {"cells": cells, "tests": len(p)}


def _curves(comparison: Comparison, env: str, column: str, looks: dict[str, Style]) -> list[Curve]:
  found = []
  for bonus in comparison.bonuses:
    steps, values = pictures.series(comparison.curves.get((bonus, env), []), column)
    if len(steps):
      steps, values = thin(steps, values)
      found.append(Curve(looks[bonus], steps, statistics.mean_over_seeds(values)))
  return found


def thin(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Averages a curve over stretches of its log, so that at most POINTS points are left.

  Args:
    steps: [N].
    values: [S, N], NaN where a seed has none.
  """
  size = -(-len(steps) // POINTS)
  starts = range(0, len(steps), size)
  means = [
    np.ma.masked_invalid(values[:, start : start + size]).mean(axis=1).filled(np.nan)
    for start in starts
  ]
  return np.array([steps[start : start + size].mean() for start in starts]), np.stack(means, axis=1)


def _world(comparison: Comparison, env: str, looks: dict[str, Style]) -> dict[str, Any]:
  world = comparison.maps.get(env) or {}
  references = world.get("reference") or {}
  metric = world.get("metric") or "score"
  lines = {kind: references[kind] for kind in charts.REFERENCES if known(references.get(kind))}
  found: dict[str, Any] = {"name": env, "metric": metric, "references": lines}
  for column in ("score", "coverage"):
    curves = _curves(comparison, env, column, looks)
    if not curves or (column == "coverage" and metric == "coverage"):
      continue
    end = comparison.settings.get("steps") or max(curve.steps[-1] for curve in curves)
    found[column] = charts.learning_curves(
      curves,
      lines if column == "score" else {},
      end,
      f"{column} of {len(curves)} bonuses in {env} against environment steps",
    )
  found["cards"] = _cards(comparison, env, world) if world.get("reachable") else []
  most = [card["most_visits"] for card in found["cards"] if "most_visits" in card]
  found["most_visits"] = max(most, default=0)
  return found


def _cards(comparison: Comparison, env: str, world: dict[str, Any]) -> list[dict[str, Any]]:
  """What the maps show of each bonus in one environment."""
  rows: dict[str, list[Row]] = {
    bonus: [row for row in comparison.finals.get((bonus, env), {}).values()]
    for bonus in comparison.bonuses
  }
  visited = {
    bonus: maps.visits(of)
    for bonus, of in rows.items()
    if of and all("visits" in row and "first_visit" in row for row in of)
  }
  most = max((np.nanmax(v, initial=1.0) for v in visited.values()), default=1.0)
  end = comparison.settings.get("steps") or 1
  cards = []
  for bonus in comparison.bonuses:
    card: dict[str, Any] = {"bonus": bonus}
    if bonus in visited:
      first = maps.first_visits(rows[bonus])
      card |= {
        "most_visits": float(most),
        "visits": maps.picture(world, maps.logarithmic(visited[bonus], float(most))),
        "first_visit": maps.picture(world, 1 - maps.scaled(first, float(end))),
        "coverage": _mean(rows[bonus], "coverage"),
        "rooms": _mean(rows[bonus], "rooms"),
      }
    trajectory = comparison.instruments.get((bonus, env), {}).get("trajectory") or {}
    if trajectory.get("bonus"):
      card["timeline"] = maps.timeline(trajectory)
      if trajectory.get("place"):
        card["paid"] = maps.paid_picture(world, maps.paid(world, trajectory))
        card["signed"] = card["timeline"]["least"] < 0
        card["start"] = divmod(trajectory["place"][0], world["columns"])
    if len(card) > 1:
      cards.append(card)
  return cards


def _mean(rows: list[Row], name: str) -> float:
  return float(np.mean([row.get(name, np.nan) for row in rows]))


# Commands


def _commands(comparison: Comparison) -> list[str]:
  """The commands of all runs, each once, in the order of the cells."""
  found = [
    row["command"]
    for env in comparison.envs
    for bonus in comparison.bonuses
    for row in comparison.finals.get((bonus, env), {}).values()
    if "command" in row
  ]
  return list(dict.fromkeys(found))
