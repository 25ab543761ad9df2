"""`rarebird report`: the page of a comparison, made anew from its data."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from experiments.commands import terminal
from experiments.runs.files import write_atomically
from experiments.settings import flags, reader
from experiments.settings.errors import UserError

PAGE = "report.html"


@dataclasses.dataclass(frozen=True)
class ReportConfig:
  """Make a page."""

  folder: Path = flags.positional()
  """The folder of the comparison."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  config = reader.read("report", arguments, ReportConfig(flags.REQUIRED), about)
  return functools.partial(run, config.folder, terminal.console())


def run(folder: Path, console: Console) -> int:
  """Builds the page of the comparison in `folder`, and puts it there in one move.

  Raises:
    UserError: for a folder without a comparison, data that cannot be read, or a missing library.
  """
  # What the page needs takes seconds to import, and no other command needs it.
  try:
    from experiments.report import data, page
  except ImportError as error:
    raise UserError(
      f"the page needs what is not installed ({error}): pip install 'rarebird[compare]'"
    ) from error
  html = page.render(data.read(folder)).encode()
  try:
    write_atomically(folder / PAGE, html)
  except OSError as error:
    raise UserError(f"cannot write to {folder}: {error.strerror}.") from error
  console.print(
    f"{folder / PAGE}: {len(html) / 2**20:.1f} MiB", highlight=False, markup=False, soft_wrap=True
  )
  return 0
