"""The command line: `rarebird train | launch | ...`, or `python -m experiments ...`."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import tyro

from experiments.commands import bench as bench_command
from experiments.commands import collect as collect_command
from experiments.commands import evaluate as evaluate_command
from experiments.commands import report as report_command
from experiments.commands import status as status_command
from experiments.commands import terminal
from experiments.commands import train as train_command
from experiments.commands.bench import BenchConfig
from experiments.datasets.collect import CollectConfig
from experiments.evaluation.equivalence import EquivalenceConfig
from experiments.evaluation.scores import EVALUATION_SEED
from experiments.settings.cluster import ClusterConfig
from experiments.settings.compare import CompareConfig
from experiments.settings.errors import NO_ROOM, UserError, failing, reported
from experiments.settings.offline import OfflineConfig
from experiments.settings.train import DEFAULT_AGENT, REGISTRIES, TrainConfig

Action = Callable[[], int]
"""A command with its flags read, ready to run; it returns the exit status."""
BROKEN_PIPE = 128 + 13
"""The exit status of what SIGPIPE ends; Windows has no such signal."""


def train(config: tyro.conf.OmitArgPrefixes[TrainConfig]) -> Action:
  """Train an agent. The same command again resumes, also after Ctrl-C or a crash."""
  return functools.partial(train_command.run, config, terminal.console())


def launch(
  config: tyro.conf.OmitArgPrefixes[TrainConfig],
  cluster: tyro.conf.OmitArgPrefixes[ClusterConfig],
) -> Action:
  """Train on many processes or machines, by Ray and Reverb. The same command again resumes."""
  if config.runtime not in ("auto", "cluster"):
    raise UserError(f"launch runs a cluster; --runtime {config.runtime} belongs to train.")
  config = dataclasses.replace(config, runtime="cluster")
  return functools.partial(train_command.run, config, terminal.console(), cluster)


def status(run: tyro.conf.Positional[Path]) -> Action:
  """Show how far a run is, and its nodes.

  Args:
    run: The run folder.
  """
  return functools.partial(status_command.status, run, terminal.console())


def stop(run: tyro.conf.Positional[Path]) -> Action:
  """Have a run save and end.

  Args:
    run: The run folder.
  """
  return functools.partial(status_command.stop, run, terminal.console())


def evaluate(
  run: tyro.conf.Positional[Path],
  episodes: int = 1000,
  greedy: bool = False,
  seed: int = EVALUATION_SEED,
  json: bool = False,
) -> Action:
  """Score a run on every split with 95% intervals, beside random and optimal play.

  Args:
    run: The run folder.
    episodes: Episodes of each split, for each seed.
    greedy: Play the policy's mode instead of sampling from it.
    seed: Seed of the episodes, away from training's by default.
    json: Print JSON instead of a table.
  """
  return functools.partial(
    evaluate_command.run, run, episodes, greedy, seed, json, terminal.console()
  )


def collect(config: tyro.conf.OmitArgPrefixes[CollectConfig]) -> Action:
  """Store a policy's episodes, or a Minari dataset's, to learn from offline."""
  return functools.partial(collect_command.run, config, terminal.console())


def offline(config: tyro.conf.OmitArgPrefixes[OfflineConfig]) -> Action:
  """Learn to reach goals from a dataset without rewards. The same command again resumes."""

  def act() -> int:
    from experiments.commands import offline as command  # which no other command needs

    return command.run(config, terminal.console())

  return act


def equivalence(config: tyro.conf.OmitArgPrefixes[EquivalenceConfig]) -> Action:
  """Show where soft Q-learning and its policy gradient are one, and where not."""

  def act() -> int:
    from experiments.commands import (
      equivalence as equivalence_command,  # which no other command needs
    )

    return equivalence_command.run(config, terminal.console())

  return act


def bench(config: tyro.conf.OmitArgPrefixes[BenchConfig]) -> Action:
  """Measure speed, compilation and memory, with and without the bonus."""
  return functools.partial(bench_command.run, config, terminal.console())


def compare(config: tyro.conf.OmitArgPrefixes[CompareConfig]) -> Action:
  """Compare exploration bonuses, on a page. The same command again resumes."""

  def act() -> int:
    from experiments.commands import (
      compare as compare_command,  # which loads what no other command needs
    )

    return compare_command.run(config, terminal.console())

  return act


def report(folder: tyro.conf.Positional[Path]) -> Action:
  """Make the page of a comparison anew from its data.

  Args:
    folder: The folder of the comparison.
  """
  return functools.partial(report_command.run, folder, terminal.console())


def list_names(
  what: tyro.conf.Positional[Literal["agents", "envs", "bonuses", "objectives", "torsos", "cores"]],
) -> Action:
  """List what can be named on the command line."""

  def show() -> int:
    entries = list(REGISTRIES[what])
    width = max(len(entry.name) for entry in entries) + 2
    for entry in entries:
      print(f"{entry.name:{width}}{entry.summary}")
    return 0

  return show


def _asked(arguments: list[str], name: str, default: str) -> str:
  """The value of a flag, --agent or --algorithm, which says what further flags there are."""
  for flag, value in zip(arguments, [*arguments[1:], ""], strict=True):
    if flag == name:
      return value
    if flag.startswith(f"{name}="):
      return flag.removeprefix(f"{name}=")
  return default


def _parse() -> Action:
  """Reads the flags; tyro's box about a wrong one becomes one line."""
  # `offline` has an --agent of its own.
  arguments = sys.argv[:1] if sys.argv[1:2] == ["offline"] else sys.argv
  name = _asked(arguments, "--agent", DEFAULT_AGENT)
  default = TrainConfig.of(name)
  train.__defaults__ = (default,)
  launch.__defaults__ = (default, ClusterConfig())
  bench.__defaults__ = (BenchConfig(agent_name=name, agent=default.agent),)
  compare.__defaults__ = (CompareConfig.of(name),)
  equivalence.__defaults__ = (EquivalenceConfig.of(_asked(arguments, "--agent", "soft_q")),)
  offline.__defaults__ = (OfflineConfig.of(_asked(sys.argv, "--algorithm", "fresh")),)
  commands: dict[str, Callable[..., Any]] = {
    "train": train,
    "launch": launch,
    "status": status,
    "stop": stop,
    "evaluate": evaluate,
    "collect": collect,
    "offline": offline,
    "equivalence": equivalence,
    "compare": compare,
    "report": report,
    "bench": bench,
    "list": list_names,
  }
  complaint = io.StringIO()
  try:
    with contextlib.redirect_stderr(complaint):
      return tyro.extras.subcommand_cli_from_dict(
        commands,
        prog="rarebird",
        description="Exploration agents that learn from rare and hidden things.",
      )
  except SystemExit as exit_:
    if not exit_.code:
      raise
    lines = [line.strip("│ ") for line in complaint.getvalue().splitlines()]
    text = " ".join(line for line in lines if line and line[0] not in "╭╰─")
    raise UserError(re.sub(r"\S*__tyro\S*: ?", "", text) or "these flags cannot be read.") from None


def main() -> None:
  """Runs the command line; what a person got wrong is told in one line, with exit status 2."""
  terminal.prepare()
  try:
    action = _parse()
    with reported(), failing():
      status = action()
  except UserError as error:
    print(f"rarebird: {error}", file=sys.stderr)
    status = 2
  except BrokenPipeError:  # the reader of our output went away, as `head` does
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    status = BROKEN_PIPE
  except OSError as error:
    if error.errno not in NO_ROOM:
      raise
    where = f" ({error.filename})" if error.filename else ""
    print(
      f"rarebird: {error.strerror}{where}; make room, and the same command resumes.",
      file=sys.stderr,
    )
    status = 2
  except KeyboardInterrupt:
    status = 130
  sys.exit(status)
