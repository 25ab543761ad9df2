"""`rarebird stop`: asks a run under way to save and end."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from experiments.commands import terminal
from experiments.commands.status import RunConfig, is_running
from experiments.runs import run_folder
from experiments.settings import flags, reader
from experiments.settings.errors import UserError

STOP_SECONDS = 120.0
"""How long `stop` waits for a run to save and end."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  config = reader.read("stop", arguments, RunConfig(flags.REQUIRED), about)
  return functools.partial(stop, config.run, terminal.console())


def stop(path: Path, console: Console) -> int:
  """Asks a run to save and end, and waits until it has."""
  run_folder.read_config(path)
  if not is_running(path):
    console.print(f"{path} is not running.", markup=False)
    return 0
  (path / "stop").touch()
  deadline = time.monotonic() + STOP_SECONDS
  with console.status("waiting for the run to save and end"):
    while is_running(path):
      if time.monotonic() > deadline:
        raise UserError(f"{path} did not end within {STOP_SECONDS:.0f} s; end its process.")
      time.sleep(0.1)
  console.print(f"{path} has ended; the same command resumes what is left of it.", markup=False)
  return 0
