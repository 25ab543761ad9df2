"""`rarebird evaluate`: scores of a saved run, beside random and optimal play."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from experiments.evaluation import scores as evaluation
from experiments.runs import experiment as train
from experiments.runs import run_folder
from experiments.runs.files import finite
from experiments.settings.errors import UserError


def run(path: Path, episodes: int, greedy: bool, seed: int, as_json: bool, console: Console) -> int:
  """Evaluates the newest checkpoint of the run in `path`; writes nothing."""
  if episodes < 2:
    raise UserError(f"--episodes is {episodes}; an interval needs at least 2.")
  experiment, state = train.load(path)
  refs = run_folder.read_json(path, "references.json") or {}
  variables = experiment.loop.variables(state)
  scores = evaluation.evaluate(experiment, variables, episodes, seed, explore=not greedy)
  if as_json:
    print(json.dumps(finite({"scores": scores, "references": refs}), indent=2))
    return 0
  step = experiment.steps(experiment.loop.updates(state))
  console.print(evaluation.table(scores, refs, f"{path} at {step:,} steps"))
  return 0
