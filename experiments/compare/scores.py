"""The one number in [0, 1] that a comparison goes by, higher being better.

  success   share of the episodes that succeed, where one reward makes a success
  return    return as a share of the environment's success_return, at most 1, where it takes many
            (a success_return above 1, as craftax's)
  coverage  share of the reachable places seen so far, where there is no reward at all (an infinite
            success_return)

On the curve success and return are those of the episodes that ended in training since the point
before, and if none did, the point before; in the end they are those of the final evaluation.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from envs import capabilities
from envs.capabilities import Places
from envs.environment import Environment
from experiments.settings.errors import UserError

Metric = Literal["success", "return", "coverage"]
SOLVED = {"success": 0.9, "return": 1.0, "coverage": 0.95}
"""Scores from which on an environment counts as solved: episodes in training are still explored
in, and of a map the last places are a matter of chance."""
SOLVED_POINTS = 3
"""Points of the curve in a row at which it must be solved."""


def metric(env: Environment) -> Metric:
  """What an environment's score is; one without reward and without places is a UserError."""
  if math.isfinite(env.success_return):
    return "return" if env.success_return > 1.0 else "success"
  if capabilities.places(env) is None:
    raise UserError(
      f"{type(env).__name__} has neither a finite success_return nor places(), so nothing tells how"
      " well a bonus does; give it one of them."
    )
  return "coverage"


def share(value: float, env: Environment) -> float:
  """A return as a share of what counts as success."""
  return min(max(value / env.success_return, 0.0), 1.0)


def curve(rows: list[dict[str, Any]], env: Environment) -> list[float]:
  """The score at each of one seed's log rows."""
  what = metric(env)
  name = "coverage" if what == "coverage" else f"episode/{what}"
  scores, last = [], 0.0
  for row in rows:
    if name in row:
      last = share(row[name], env) if what == "return" else float(row[name])
    scores.append(last)
  return scores


def solved_at(scores: list[float], steps: list[int], env: Environment) -> int | None:
  """The step of the first of SOLVED_POINTS points in a row at which one seed has solved `env`."""
  enough = SOLVED[metric(env)]
  run = 0
  for i, score in enumerate(scores):
    run = run + 1 if score >= enough else 0
    if run == SOLVED_POINTS:
      return steps[i - SOLVED_POINTS + 1]
  return None


def is_solved(rows: list[dict[str, Any]], env: Environment) -> bool:
  """Whether the seeds of a cell's rows have on average solved `env` at the last SOLVED_POINTS.

  The mean, since seeds that know an environment still dip now and then, each at its own time.
  """
  curves = [curve(rows_of(rows, seed), env) for seed in sorted({row["seed"] for row in rows})]
  shortest = min(map(len, curves), default=0)
  if shortest < SOLVED_POINTS:
    return False
  last = np.array([one[:shortest][-SOLVED_POINTS:] for one in curves])
  return bool(last.mean(axis=0).min() >= SOLVED[metric(env)])


def area(scores: list[float]) -> float:
  """The area under a curve of evenly spaced points over a length of 1: their mean."""
  return float(np.mean(scores))


def rows_of(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
  """One seed's log rows, in the order of the steps."""
  return [row for row in rows if row["seed"] == seed]


def covered(visits: np.ndarray, places: Places) -> dict[str, float]:
  """Share of the reachable places that were seen, and where there are rooms how many of them."""
  seen = (visits > 0) & places.reachable
  found = {"coverage": float(seen.sum() / max(places.reachable.sum(), 1))}
  if places.rooms.max() >= 0:
    found["rooms"] = len(set(places.rooms[seen & (places.rooms >= 0)].tolist()))
  return found
