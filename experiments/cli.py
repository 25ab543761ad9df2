"""The command line: `rarebird train | evaluate | bench | list`, or `python -m experiments`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console

from experiments import bench as bench_command
from experiments import evaluate_command, train_command
from experiments.bench import BenchConfig
from experiments.config import REGISTRIES, TrainConfig
from experiments.errors import UserError


def train(config: tyro.conf.OmitArgPrefixes[TrainConfig]) -> int:
  """Train an agent. The same command again resumes, also after Ctrl-C or a crash."""
  return train_command.run(config, Console())


def evaluate(
  run: tyro.conf.Positional[Path],
  episodes: int = 1000,
  greedy: bool = False,
  seed: int = 1_000_000,
  json: bool = False,
) -> int:
  """Score a run on every split with 95% intervals, beside random and optimal play.

  Args:
    run: The run folder.
    episodes: Episodes of each split, for each seed.
    greedy: Play the policy's mode instead of sampling from it.
    seed: Seed of the episodes, away from training's by default.
    json: Print JSON instead of a table.
  """
  return evaluate_command.run(run, episodes, greedy, seed, json, Console())


def bench(config: tyro.conf.OmitArgPrefixes[BenchConfig]) -> int:
  """Measure speed, compilation and memory, with and without the bonus."""
  return bench_command.run(config, Console())


def list_names(
  what: tyro.conf.Positional[Literal["agents", "envs", "bonuses", "objectives", "torsos", "cores"]],
) -> int:
  """List what can be named on the command line."""
  for entry in REGISTRIES[what]:
    print(f"{entry.name:26}{entry.summary}")
  return 0


def main() -> None:
  """Runs the command line; what a person got wrong is told in one line, with exit status 2."""
  commands: dict[str, Callable[..., Any]] = {
    "train": train,
    "evaluate": evaluate,
    "bench": bench,
    "list": list_names,
  }
  try:
    status: int = tyro.extras.subcommand_cli_from_dict(
      commands,
      prog="rarebird",
      description="Exploration agents that learn from rare and hidden things.",
    )
  except UserError as error:
    print(f"rarebird: {error}", file=sys.stderr)
    status = 2
  except KeyboardInterrupt:
    status = 130
  except BrokenPipeError:  # the reader of our output went away, as `head` does
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    status = 128 + signal.SIGPIPE
  sys.exit(status)
