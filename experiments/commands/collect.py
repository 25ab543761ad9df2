"""`rarebird collect`: plays or converts episodes into a dataset, and says what it holds."""

from __future__ import annotations

import functools
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from envs.observation import one_line
from experiments.commands import terminal
from experiments.commands.terminal import Bar
from experiments.datasets import collect
from experiments.datasets.collect import CollectConfig
from experiments.datasets.dataset import Dataset
from experiments.datasets.writer import Writer
from experiments.settings import flags, reader


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  config = reader.read("collect", arguments, CollectConfig(flags.REQUIRED), about)
  return functools.partial(run, config, terminal.console())


def run(config: CollectConfig, console: Console) -> int:
  """Collects and returns the exit status, 0; what is interrupted leaves nothing."""
  source = collect.source(config)
  columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn())
  left = (TextColumn("episodes, left"), TimeRemainingColumn())
  before = signal.signal(signal.SIGTERM, _interrupt)
  began = time.monotonic()
  try:
    with (
      Writer(Path(config.out), source.description) as writer,
      Bar(*columns, *left, console=console) as progress,
    ):
      task = progress.add_task("compiling", total=source.episodes)
      steps = 0
      for episodes, lengths in source.blocks:
        writer.add(episodes, lengths)
        steps += int(lengths.sum())
        rate = steps / (time.monotonic() - began)
        progress.update(task, advance=len(lengths), description=f"{rate:,.0f} steps/s")
  finally:
    signal.signal(signal.SIGTERM, before)
  console.print(table(Dataset(config.out), time.monotonic() - began))
  return 0


def table(dataset: Dataset, seconds: float) -> Table:
  """What a dataset holds, on one screen."""
  own, lengths, returns = dataset.description, dataset.lengths, dataset.returns
  size = sum(file.stat().st_size for file in dataset.path.iterdir())
  settings = " ".join(f"{name}={value}" for name, value in own.settings.items())
  out = Table(title=str(dataset.path), show_header=False)
  for name, value in {
    "environment": f"{own.env or 'not known'} {settings}",
    "policy": own.policy + ("" if own.seed is None else f", seed {own.seed}"),
    "observation": one_line(own.observation) + (" (view, without goal)" if own.view else ""),
    "action": one_line(own.action),
    "episodes": f"{len(dataset):,}",
    "steps": f"{dataset.steps:,}, of an episode {lengths.min():,} to {lengths.max():,}",
    "return": f"{returns.mean():.3f} on average, {returns.min():.3f} to {returns.max():.3f}",
    "on disk": f"{size / 1e6:,.1f} MB",
    "took": f"{seconds:,.1f} s, {dataset.steps / seconds:,.0f} steps/s",
  }.items():
    out.add_row(name, value)
  return out


def _interrupt(number: int, frame: Any) -> None:
  raise KeyboardInterrupt
