"""`rarebird evaluate`: scores of a saved run, beside random and optimal play."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from experiments.commands import terminal
from experiments.evaluation import clips
from experiments.evaluation import scores as evaluation
from experiments.evaluation.scores import EVALUATION_SEED
from experiments.runs import experiment as train
from experiments.runs import run_folder
from experiments.runs.files import finite
from experiments.settings import flags, reader
from experiments.settings.errors import UserError


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
  """Score a run, or show what it looks at."""

  run: Path = flags.positional()
  """The run folder."""
  episodes: int = 1000
  """Episodes of each split, for each seed."""
  greedy: bool = False
  """Play the policy's mode instead of sampling from it."""
  seed: int = EVALUATION_SEED
  """Seed of the episodes, away from training's by default."""
  show: Literal["scores", "attention"] = "scores"
  """The scores; or a clip of an episode, RUN/attention.gif, with what the encoder looks at drawn
  over what it sees, of a torso that pools by attention (--torso.pool attention)."""
  json: bool = False
  """Print JSON instead of a table."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  config = reader.read("evaluate", arguments, EvaluateConfig(flags.REQUIRED), about)
  return functools.partial(run, config, terminal.console())


def run(config: EvaluateConfig, console: Console) -> int:
  """Evaluates the newest checkpoint of a run; writes nothing but a clip that is asked for."""
  if config.episodes < 2:
    raise UserError(f"--episodes is {config.episodes}; an interval needs at least 2.")
  path = config.run
  experiment, state = train.load(path)
  if config.show == "attention":
    return show_attention(path, experiment, experiment.loop.variables(state), console)
  refs = run_folder.read_json(path, "references.json") or {}
  variables = experiment.loop.variables(state)
  scores = evaluation.evaluate(
    experiment, variables, config.episodes, config.seed, explore=not config.greedy
  )
  if config.json:
    print(json.dumps(finite({"scores": scores, "references": refs}), indent=2))
    return 0
  step = experiment.steps(experiment.loop.updates(state))
  console.print(evaluation.tables(experiment.config, scores, refs, f"{path} at {step:,} steps"))
  return 0


def show_attention(
  path: Path, experiment: train.Experiment, variables: Any, console: Console
) -> int:
  """Writes the clip; returns 0."""
  to = path / "attention.gif"
  try:
    clips.write_episode(to, experiment, variables, attends=True)
  except OSError as error:
    raise UserError(f"cannot write to {to}: {error.strerror}.") from error
  console.print(str(to), highlight=False, markup=False)
  return 0
