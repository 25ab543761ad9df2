"""The page of a comparison: one HTML file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jinja2
import numpy as np

from experiments.evaluation import pictures
from experiments.report import (
  areas,
  by_rank,
  charts,
  headline,
  maps,
  permutation_test,
  probes,
  statistics,
  tuning,
)
from experiments.report.charts import Curve, Mark
from experiments.report.data import Comparison, Row
from experiments.report.results import LEAST_SPAN, Cost, Results, aggregate, cost
from experiments.report.statistics import Estimate
from experiments.report.styles import Style, styles
from experiments.report.words import NOUNS, against

POINTS = 100
"""Most points of a drawn curve; a longer log is averaged over stretches of it."""


def render(comparison: Comparison) -> str:
  """The page as HTML; the same text for the same data."""
  looks = styles(comparison.variants, comparison.baseline)
  results = aggregate(comparison)
  worlds = [_world(comparison, name, looks) for name in comparison.envs]
  costs = {
    variant: found
    for variant in comparison.variants
    if (found := cost(comparison, variant)) is not None
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
    noun=NOUNS[comparison.vary],
    against=against(comparison.vary, comparison.baseline),
    facts=_facts(comparison),
    looks=looks,
    results=results,
    costs=costs,
    headline=[
      *headline.by_area(comparison),
      *headline.solved(comparison),
      *headline.sentences(results, costs, comparison.vary),
    ],
    areas=areas.table(comparison),
    notes=headline.notes(comparison, results),
    interval=headline.interval,
    charts=_result_charts(results, looks) | _cost_charts(comparison, costs, looks),
    improvements=_improvements(results) if results else [],
    differing=_differs_from_baseline(results),
    scores=_scores(comparison),
    worlds=worlds,
    ranked=by_rank.figures(comparison, looks),
    probed=probes.table(comparison),
    probed_by_rank=by_rank.probed(comparison, looks),
    films=comparison.films,
    filmed={
      env: {variant for variant, where in comparison.films if where == env}
      for env in comparison.envs
    },
    tuning=tuning.table(comparison),
    rewarded=[
      env for env in comparison.envs if comparison.maps.get(env, {}).get("metric") != "coverage"
    ],
    instrumented={
      env: {variant for variant, where in comparison.instruments if where == env}
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
  variants, envs = NOUNS[comparison.vary].counted(len(comparison.variants)), len(comparison.envs)
  return f"{variants} in {envs} environment{'s' * (envs != 1)}"


def _facts(comparison: Comparison) -> list[tuple[str, str]]:
  """What was compared, on what and when, as far as the settings tell."""
  settings = comparison.settings
  steps = sorted({*filter(None, map(comparison.steps, comparison.envs))})
  used = (settings.get("machine") or {}) | (settings.get("versions") or {})
  facts = [
    ("seeds of each", str(len(comparison.seeds))),
    ("steps of each seed", " or ".join(f"{count:,}" for count in steps)),
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
  base, noun = results.baseline(), NOUNS[results.vary]

  def marks(estimate: Estimate, rows: Sequence[int]) -> list[Mark]:
    return [
      Mark(
        results.variants[i],
        looks[results.variants[i]],
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
      f"Interquartile mean of each {noun.one}'s normalised scores with its interval",
    ),
    "rank": charts.forest(
      marks(results.rank, sorted(order, key=lambda i: results.rank.value[i])),
      None,
      "mean rank (1 is best)",
      f"Mean rank of each {noun.one} with its interval",
    ),
  }
  if base is not None and len(order) > 1:
    improvement = results.improvement[:, base]
    rows = sorted((i for i in order if i != base), key=lambda i: -improvement.value[i])
    drawn["improvement"] = charts.forest(
      marks(improvement, rows),
      0.5,
      f"probability of improvement over {results.base}",
      f"Probability that each {noun.one} outdoes {against(results.vary, results.base)}, with its"
      " interval",
    )
  return drawn


def _cost_charts(
  comparison: Comparison, costs: dict[str, Cost], looks: dict[str, Style]
) -> dict[str, Any]:
  drawn = {}
  base = against(comparison.vary, comparison.baseline)
  for name, axis in (("time", "wall-clock time"), ("memory", "memory")):
    marks = [
      Mark(variant, looks[variant], *ratio)
      for variant, found in costs.items()
      if known((ratio := getattr(found, name))[0])
    ]
    if len(marks) > 1:
      drawn[name] = charts.forest(
        sorted(marks, key=lambda mark: mark.value),
        1.0,
        f"{axis}, times that of {comparison.baseline}",
        f"{axis} of each {NOUNS[comparison.vary].one} as a ratio to that of {base}",
        "{:.2f}\N{MULTIPLICATION SIGN}",
      )
  return drawn


def _differs_from_baseline(results: Results | None) -> set[str]:
  """The variants that are told to differ from the baseline."""
  if results is None or (base := results.baseline()) is None:
    return set()
  return {results.variants[i] for i in np.flatnonzero(results.differs_from(base))}


def _improvements(results: Results) -> list[dict[str, Any]]:
  """Rows of the matrix: a variant, and against each in the same order what is known."""
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
    rows.append({"variant": results.variants[i], "cells": cells})
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
  for variant, env in means:
    pair = (variant, env), (comparison.baseline or "", env)
    if variant != comparison.baseline and all(map(comparison.is_complete, pair)):
      runs = [[comparison.finals[c][seed]["score"] for seed in comparison.seeds] for c in pair]
      p[variant, env] = permutation_test.p_values(np.array(runs)[..., None])[0, 1]
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
  for variant in comparison.variants:
    steps, values = pictures.series(comparison.curves.get((variant, env), []), column)
    if len(steps):
      steps, values = thin(steps, values)
      solved = areas.half_solved(comparison, (variant, env)) if column == "score" else None
      found.append(Curve(looks[variant], steps, statistics.mean_over_seeds(values), solved))
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
    end = comparison.steps(env) or max(curve.steps[-1] for curve in curves)
    found[column] = charts.learning_curves(
      curves,
      lines if column == "score" else {},
      end,
      f"{column} of {len(curves)} {NOUNS[comparison.vary].many} in {env} against environment steps",
    )
  found["cards"] = _cards(comparison, env, world) if world.get("reachable") else []
  most = [card["most_visits"] for card in found["cards"] if "most_visits" in card]
  found["most_visits"] = max(most, default=0)
  return found


def _cards(comparison: Comparison, env: str, world: dict[str, Any]) -> list[dict[str, Any]]:
  """What the maps show of each variant in one environment."""
  rows: dict[str, list[Row]] = {
    variant: [row for row in comparison.finals.get((variant, env), {}).values()]
    for variant in comparison.variants
  }
  visited = {
    variant: maps.visits(of)
    for variant, of in rows.items()
    if of and all("visits" in row and "first_visit" in row for row in of)
  }
  most = max((np.nanmax(v, initial=1.0) for v in visited.values()), default=1.0)
  end = comparison.steps(env) or 1
  cards = []
  for variant in comparison.variants:
    card: dict[str, Any] = {"variant": variant}
    if variant in visited:
      first = maps.first_visits(rows[variant])
      card |= {
        "most_visits": float(most),
        "visits": maps.picture(world, maps.logarithmic(visited[variant], float(most))),
        "first_visit": maps.picture(world, 1 - maps.scaled(first, float(end))),
        "coverage": _mean(rows[variant], "coverage"),
        "rooms": _mean(rows[variant], "rooms"),
      }
    trajectory = comparison.instruments.get((variant, env), {}).get("trajectory") or {}
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
    for variant in comparison.variants
    for row in comparison.finals.get((variant, env), {}).values()
    if "command" in row
  ]
  return list(dict.fromkeys(found))
