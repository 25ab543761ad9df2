"""Tuning: each variant's weight from the same grid, on seeds that are not compared.

Every weight of the grid trains for a share of the steps, on the same seeds in every environment
that has a reward; where there is none the weight has no meaning, as the objectives divide by the
scale.
Its score there is the area under the curve of `scores.curve`, mean over its seeds, divided by the
highest such area of any bonus and weight in that environment; where none scored at all it is 0.
Of each bonus the weight with the highest mean of these over the environments is chosen; of several
such the one nearest to the weight that was given, so that where nothing scores it is kept.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from envs.environment import Environment
from experiments.compare import scores
from experiments.compare.plan import Cell, Trial
from experiments.runs import run_folder
from experiments.settings.compare import CompareConfig
from experiments.settings.train import TrainConfig


def train_config(config: CompareConfig, cell: Cell, batch: list[Trial], number: int) -> TrainConfig:
  """The run of a batch of trials: the cell's with other seeds, in a folder of its own."""
  out = Path(config.out) / "runs" / "tuning" / f"{cell.folder}-{number}"
  run = config.train_config(cell.variant, cell.env, out=str(out))
  return dataclasses.replace(run, seed=batch[0].seed)


def rows(
  config: CompareConfig, run: TrainConfig, env: Environment, batch: list[Trial]
) -> list[dict[str, Any]]:
  """The rows of tuning.jsonl of a batch that has been run; a trial that fills up makes none."""
  log = [
    row
    for row in run_folder.read_rows(Path(run.out))
    if row["step"] <= config.tuning_rows(run) * config.steps_per_row(run)
  ]
  found: dict[Trial, dict[str, Any]] = {}
  for slot, trial in enumerate(batch):
    curve = scores.curve(scores.rows_of(log, config.seed + slot), env)
    found.setdefault(
      trial, {"weight": trial.weight, "seed": trial.seed, "score": scores.area(curve)}
    )
  return list(found.values())


def merits(trials: list[dict[str, Any]]) -> dict[tuple[str, float], float]:
  """How good each weight of each bonus was, in [0, 1], from the rows of tuning.jsonl; see above."""
  areas: dict[tuple[str, str, float], list[float]] = {}
  for row in trials:
    areas.setdefault((row["variant"], row["env"], float(row["weight"])), []).append(row["score"])
  means = {key: float(np.mean(values)) for key, values in areas.items()}
  best: dict[str, float] = {}
  for (_, env, _), mean in means.items():
    best[env] = max(best.get(env, 0.0), mean)
  shares: dict[tuple[str, float], list[float]] = {}
  for (variant, env, weight), mean in means.items():
    shares.setdefault((variant, weight), []).append(mean / best[env] if best[env] else 0.0)
  return {trial: float(np.mean(found)) for trial, found in shares.items()}


def choose(
  trials: list[dict[str, Any]], weights: tuple[float, ...], given: float
) -> dict[str, float]:
  """The weight of each variant that was tuned, from the rows of tuning.jsonl.

  Args:
    trials: the rows.
    weights: the grid, all above 0.
    given: the weight that is taken where nothing tells them apart, or the nearest in the grid.
  """
  merit = merits(trials)
  nearest = sorted(weights, key=lambda weight: abs(math.log(weight / given)))
  variants = dict.fromkeys(row["variant"] for row in trials)
  return {variant: max(nearest, key=lambda weight: merit[variant, weight]) for variant in variants}
