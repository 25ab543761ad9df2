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
from experiments.runs import run_folder
from experiments.runs.run_folder import Folder
from experiments.settings import compare as compare_config
from experiments.settings import flags, reader
from experiments.settings.compare import CompareConfig
from experiments.settings.errors import UserError
from experiments.settings.stored import OtherFormatError
from experiments.settings.train import DEFAULT_AGENT, spread


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  agent = flags.value_of(arguments, "agent", DEFAULT_AGENT)
  config = reader.read("compare", arguments, CompareConfig.of(agent), about)
  return functools.partial(run, config, terminal.console())


def run(config: CompareConfig, console: Console) -> int:
  """Compares or resumes, and returns the exit status: 0, or 130 if it was interrupted."""
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
    if not Comparison(config, envs, runner, folder, console).run():
      console.print(f"stopped and saved in {path}; the same command resumes.", markup=False)
      return 130
    console.print(table(path))
    return report_command.run(path, console)
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
  out = Table(
    title=str(path),
    caption=f"mean of {count} seeds, 95% intervals (Student's t); time relative to {base}",
  )
  for name in ("environment", settings.get("vary", "variant")):
    out.add_column(name, overflow="fold")
  for name in ("score", "interval", "rank", "time"):
    out.add_column(name, justify="right", no_wrap=True)
  for env in dict.fromkeys(cell.env for cell in cells):
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
        f"{rank:g}",
        f"{here[variant][0]['seconds'] / plain:.2f}x" if plain else "-",
      )
      env = ""
    out.add_section()
  return out
