"""`rarebird claims`: tries what papers say, arm by arm, on small worlds, and resumes."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments.claims import all as every
from experiments.claims import results
from experiments.commands import terminal
from experiments.settings import reader
from experiments.settings.errors import UserError

LAST_SEED = 2**32 - 1


@dataclasses.dataclass(frozen=True)
class ClaimsConfig:
  """Try claims of papers on small worlds; the same command again resumes."""

  names: tuple[str, ...] = ()
  """Claims to try; without, what there is is listed."""
  out: Path = Path("runs/claims")
  """Folder for a file of rows of each claim, NAME.jsonl."""
  seed: int = 0
  """First seed."""
  seeds: int = 5
  """How many seeds of each arm, in one program."""
  markdown: bool = False
  """Print tables as Markdown."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  config = reader.read("claims", arguments, ClaimsConfig(), about)
  for name in config.names:
    if name not in every.CLAIMS:
      near = difflib.get_close_matches(name, every.CLAIMS, n=1)
      hint = f"did you mean {near[0]}?" if near else f"give one of {', '.join(every.CLAIMS)}."
      raise UserError(f"there is no claim {name!r}; {hint}")
  if config.seeds < 1:
    raise UserError(f"--seeds is {config.seeds}; give at least 1.")
  if not 0 <= config.seed <= LAST_SEED + 1 - config.seeds:
    raise UserError(f"--seed is {config.seed}; give 0 or more, below 2**32 with all the seeds.")
  return functools.partial(run, config, terminal.console())


def run(config: ClaimsConfig, console: Console) -> int:
  """Runs what is not in the files yet, and prints a table of each claim."""
  if not config.names:
    out = Table(box=None, padding=(0, 1))
    out.add_column("claim", no_wrap=True)
    out.add_column("what is claimed, and how many arms it takes")
    for name, claim in every.CLAIMS.items():
      out.add_row(name, f"{claim.about} ({len(claim.arms)})")
    console.print(out)
    return 0
  for name in config.names:
    _try(config, name, console)
  return 0


def _try(config: ClaimsConfig, name: str, console: Console) -> None:
  claim, path = every.CLAIMS[name], config.out / f"{name}.jsonl"
  seeds = range(config.seed, config.seed + config.seeds)
  rows = results.read(path)
  console.print(f"{name}: {claim.about} -> {path}", markup=False, soft_wrap=True)
  for number, (arm, of_seeds) in enumerate(claim.arms.items(), 1):
    if not (left := results.missing(rows, arm, seeds)):
      continue
    began = time.monotonic()
    with console.status(f"{arm}, {number} of {len(claim.arms)}"):
      told = of_seeds(left)
    rows += [{"arm": arm, "seed": s} | row for s, row in zip(left, told, strict=True)]
    results.write(path, rows)
    console.print(f"  {arm}: {time.monotonic() - began:,.0f} s", markup=False)
  wanted = [row for row in rows if row["seed"] in seeds and row["arm"] in claim.arms]
  lines = results.table(claim, wanted)
  if config.markdown:
    console.print(results.markdown(lines), markup=False, soft_wrap=True, highlight=False)
  else:
    head, *rest = lines
    out = Table(caption="means [95% t-interval] over seeds", box=None, padding=(0, 1))
    for i, column in enumerate(head):
      out.add_column(column, justify="right" if i else "left", no_wrap=not i)
    for line in rest:
      out.add_row(*line)
    console.print(out)
  for sentence in claim.sums_up(wanted):
    console.print(sentence, markup=False, soft_wrap=True)
