"""`rarebird compare`: tunes, trains and measures every variant in every environment."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import scipy.stats
from rich.console import Console
from rich.table import Table

from experiments.commands import report as report_command
from experiments.commands import terminal
from experiments.compare import data, plan
from experiments.compare.comparison import Comparison
from experiments.compare.plan import Cell
from experiments.compare.runner import Runner
from experiments.evaluation import scores as evaluation
from experiments.report import areas
from experiments.report import data as report_data
from experiments.runs import run_folder
from experiments.runs.run_folder import Folder
from experiments.settings import compare as compare_config
from experiments.settings import flags, reader, suites
from experiments.settings.compare import CompareConfig
from experiments.settings.errors import UserError
from experiments.settings.stored import OtherFormatError
from experiments.settings.train import DEFAULT_AGENT, spread

INTERRUPTED = 130


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  configs = []
  for words in suites.expanded(arguments):
    agent = flags.value_of(words, "agent", DEFAULT_AGENT)
    read_words = reader.read("compare", words, CompareConfig.of(agent), about)
    configs.append(compare_config.with_worlds(read_words))
    compare_config.check(configs[-1])  # of a suite all, before the first is trained
  return functools.partial(run_all, configs, terminal.console())


def run_all(configs: list[CompareConfig], console: Console) -> int:
  """Compares or resumes one after another, and returns the exit status: that of the first which was
  interrupted, else 1 if something was left out."""
  status = 0
  for config in configs:
    done = run(config, console)
    if done == INTERRUPTED:
      return done
    status = max(status, done)
  return status


def run(config: CompareConfig, console: Console) -> int:
  """Compares or resumes, and returns the exit status: 0, 1 if a cell was left out for the time that
  it would take, or INTERRUPTED."""
  compare_config.check(config)
  spread(config.seeds)
  envs, runner, path = plan.environments(config), Runner(config), Path(config.out)
  for cell in plan.cells(config, envs):  # what is wrong with one is told before a file is touched
    runner.experiment(cell)

  def changed() -> list[str]:
    try:
      return compare_config.differences(run_folder.read_asked(path, "comparison"), config)
    except OtherFormatError as error:
      raise UserError(f"{path} cannot be resumed: {error}; or give --out.") from error

  folder = Folder(path, config.to_json(), changed, "comparison")
  try:
    comparison = Comparison(config, envs, runner, folder, console)
    if not comparison.run():
      console.print(f"stopped and saved in {path}; the same command resumes.", markup=False)
      return INTERRUPTED
    if data.cells(path, "finals.jsonl"):
      console.print(table(path))
      report_command.run(path, console)
    for cell, minutes in comparison.left_out.items():
      line = f"left out: {cell.variant} in {cell.env}, about {minutes:.0f} minutes"
      console.print(line, markup=False, highlight=False)
    return 1 if comparison.left_out else 0
  finally:
    folder.close()


def table(path: Path) -> Table:
  """Scores, ranks and time of a comparison's cells, as a person sees them."""
  cells: dict[Cell, list[data.Row]] = {}
  for row in data.read(path, "finals.jsonl"):
    cells.setdefault(Cell(row["variant"], row["env"]), []).append(row)
  count = len(next(iter(cells.values())))
  settings = run_folder.read_json(path, "compare.json") or {}
  base = settings.get("baseline")
  caption = f"mean of {count} seeds, 95% intervals (Student's t); area under the curve"
  if base:
    caption += f"; p of its difference from {base} (Holm); time relative to {base}"
  out = Table(title=str(path), caption=caption)
  for name in ("environment", settings.get("vary", "variant")):
    out.add_column(name, overflow="fold")
  for name in ("score", "interval", "area", "p", "rank", "time"):
    out.add_column(name, justify="right", no_wrap=True)
  p = areas.p_values(report_data.read(path))
  for env in dict.fromkeys(cell.env for cell in cells):
    name = env
    here = {cell.variant: rows for cell, rows in cells.items() if cell.env == env}
    scores = {variant: np.array([[row["score"]] for row in rows]) for variant, rows in here.items()}
    ranks = scipy.stats.rankdata([-values.mean() for values in scores.values()])
    plain = here[base][0]["seconds"] if base in here else None
    for rank, (variant, values) in zip(ranks, scores.items(), strict=True):
      mean, low, high = evaluation.interval(values, True) if count > 1 else (values.mean(),) * 3
      out.add_row(
        env,
        variant,
        f"{mean:.3f}",
        f"{low:.2f}-{high:.2f}" if count > 1 else "-",
        f"{np.mean([row['auc'] for row in here[variant]]):.2f}",
        f"{p[variant, name]:.2g}" if (variant, name) in p else "-",
        f"{rank:g}",
        f"{here[variant][0]['seconds'] / plain:.2f}x" if plain else "-",
      )
      env = ""
    out.add_section()
  return out
