"""`rarebird push`: a run with its card in a plain folder, to hand on."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from experiments.commands import terminal
from experiments.settings import flags, reader
from experiments.settings.errors import UserError
from experiments.sharing import folder


@dataclasses.dataclass(frozen=True)
class PushConfig:
  """Hand on a run."""

  run: Path = flags.positional()
  """The run folder."""
  to: Path = flags.positional()
  """Folder to write: a new one, or that of an earlier push."""
  licence: str = ""
  """Licence of what is handed on, as SPDX spells it: Apache-2.0, CC-BY-4.0."""
  note: str = ""
  """A few words for the card."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  config = reader.read("push", arguments, PushConfig(flags.REQUIRED, flags.REQUIRED), about)
  if not re.fullmatch(r"[A-Za-z0-9.+-]+", config.licence):
    raise UserError("a card names a licence: give --licence, such as Apache-2.0.")
  return functools.partial(run, config, terminal.console())


def run(config: PushConfig, console: Console) -> int:
  """Writes the folder; returns 0."""
  files = folder.push(config.run, config.to, config.licence, config.note)
  size = sum(file.size for file in files) / 1e6
  console.print(f"{config.to}: {len(files)} files, {size:.1f} MB", highlight=False, markup=False)
  return 0
