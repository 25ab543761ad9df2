"""The commands that pages show, and whether the command line takes them.

A method in a file of the reader's own (`my_bonus:build`) is taken: that file is not here.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shlex
from collections.abc import Iterator

from experiments.cli import COMMANDS
from experiments.settings.errors import UserError

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
SHELLS = ("", "bash", "sh", "console")
STANDS_FOR = {
  "BONUS": "rnd",
  "AGENT": "soft_q",
  "SEED": "1",
  "ENV": "catch",
  "ARGS": "rows=10",
  "STEPS": "1000",
  "PLAIN": "",
  "PAID": "",
}
"""Words of pages that stand for a value, or for further flags."""


def of_page(text: str) -> Iterator[list[str]]:
  """The arguments of each line of a page's blocks of code that begins with `rarebird`."""
  for language, block in FENCE.findall(text):
    lines = block.replace("\\\n", " ").splitlines() if language in SHELLS else []
    for line in lines:
      if line.startswith("rarebird "):
        words = [STANDS_FOR.get(word, word) for word in shlex.split(line, comments=True)[1:]]
        yield [re.sub(r"^\[(.*)\]$", r"\1", word) for word in words if word]


def wrong(arguments: list[str]) -> str:
  """What the command line says against a command, or ""."""
  if not arguments or arguments[0] not in COMMANDS:
    return f"no command {arguments[:1]}"
  command = COMMANDS[arguments[0]]
  module = importlib.import_module(f"experiments.commands.{command.module}")
  try:
    with contextlib.redirect_stdout(io.StringIO()):
      module.read(arguments[1:], command.about)
  except UserError as error:
    return "" if "cannot import module 'my_" in str(error) else str(error)
  except SystemExit as error:  # of --help
    return "" if not error.code else f"exit status {error.code}"
  return ""
