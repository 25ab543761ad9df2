"""`rarebird pull`: a run that somebody handed on, looked at before anything is written."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from experiments.commands import terminal
from experiments.settings import flags, reader
from experiments.settings.errors import UserError
from experiments.sharing import folder


@dataclasses.dataclass(frozen=True)
class PullConfig:
  """Take a run that was handed on."""

  source: Path = flags.positional()
  """Folder that was pushed; nothing in it is executed."""
  run: Path = flags.positional()
  """Run folder to make; it must not exist."""
  trust_code: bool = False
  """Take code too: its files of Python, and methods of its config named module:Name."""
  max_megabytes: int = 2000
  """Most of what is taken, all files together."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  config = reader.read("pull", arguments, PullConfig(flags.REQUIRED, flags.REQUIRED), about)
  if config.max_megabytes < 1:
    raise UserError(f"--max-megabytes is {config.max_megabytes}; give at least 1.")
  return functools.partial(run, config, terminal.console())


def run(config: PullConfig, console: Console) -> int:
  """Makes the run folder; returns 0."""
  most = config.max_megabytes * 10**6
  licence = folder.pull(config.source, config.run, most, config.trust_code)
  told = f"licence {licence}" if licence else "its card names no licence: ask before you use it"
  console.print(f"{config.run}: {told}", highlight=False, markup=False)
  return 0
