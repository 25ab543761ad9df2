"""The command line: `rarebird train | launch | ...`, or `python -m experiments ...`.

A command is a file of experiments/commands, imported once it is chosen: its `read` takes the
arguments and returns what is to be done.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

BROKEN_PIPE = 128 + 13
"""The exit status of what SIGPIPE ends; Windows has no such signal."""


class Command(NamedTuple):
  """A command: its file, and what it does, one line."""

  module: str
  about: str


COMMANDS = {
  "train": Command(
    "train", "Train an agent. The same command again resumes, also after Ctrl-C or a crash."
  ),
  "launch": Command(
    "launch",
    "Train on many processes or machines, by Ray and Reverb. The same command again resumes.",
  ),
  "status": Command("status", "Show how far a run is, and its nodes."),
  "stop": Command("stop", "Have a run save and end."),
  "evaluate": Command(
    "evaluate",
    "Score a run on every split with 95% intervals, beside random and optimal play.",
  ),
  "play": Command("play", "Write a clip of a run's agent."),
  "push": Command("push", "Hand on a run: its checkpoint, scores and card in a plain folder."),
  "pull": Command("pull", "Take a run that was handed on; nothing in it is executed."),
  "probe": Command(
    "probe", "Show what a run's representation holds of rooms and ranks, common and rare."
  ),
  "claims": Command(
    "claims",
    "Try what papers say, on small worlds. The same command again resumes.",
  ),
  "collect": Command(
    "collect", "Store a policy's episodes, or a Minari dataset's, to learn from offline."
  ),
  "offline": Command(
    "offline",
    "Learn to reach goals from a dataset without rewards. The same command again resumes.",
  ),
  "equivalence": Command(
    "equivalence", "Show where soft Q-learning and its policy gradient are one, and where not."
  ),
  "compare": Command(
    "compare",
    "Compare bonuses, or objectives, cores, ..., on a page. The same command again resumes.",
  ),
  "report": Command("report", "Make the page of a comparison anew from its data."),
  "bench": Command("bench", "Measure speed, compilation and memory, with and without the bonus."),
  "look": Command("look", "Write a sheet of pictures: ten episodes of random play in a world."),
  "list": Command("list_names", "List what can be named on the command line."),
}


def usage() -> str:
  """What `rarebird --help` prints."""
  width = max(map(len, COMMANDS)) + 2
  lines = [f"  {name:{width}}{command.about}" for name, command in COMMANDS.items()]
  return "\n".join(
    (
      "usage: rarebird COMMAND [flags]",
      "",
      "Exploration agents that learn from rare and hidden things.",
      "",
      "commands:",
      *lines,
      "",
      "rarebird COMMAND --help shows a command's flags.",
    )
  )


def _action(arguments: list[str]) -> Callable[[], int]:
  """What the arguments ask for, ready to run; it returns the exit status."""
  from experiments.settings.errors import UserError  # after `--help`, which needs nothing

  name, rest = arguments[0], arguments[1:]
  command = COMMANDS.get(name)
  if command is None:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"give one of {', '.join(COMMANDS)}."
    raise UserError(f"there is no command {name!r}; {hint}")
  module = importlib.import_module(f"experiments.commands.{command.module}")
  return module.read(rest, command.about)


def main() -> None:
  """Runs the command line; what a person got wrong is told in one line, with exit status 2."""
  arguments = sys.argv[1:]
  if not arguments or arguments[0] in ("--help", "-h", "help"):
    print(usage())
    sys.exit(0 if arguments else 2)
  sys.exit(_run(arguments))


def _run(arguments: list[str]) -> int:
  # Not before `--help`, which needs none of these.
  from experiments.commands import terminal
  from experiments.settings.errors import NO_ROOM, UserError, failing, reported

  terminal.prepare()
  try:
    action = _action(arguments)
    with reported(), failing():
      return action()
  except UserError as error:
    print(f"rarebird: {error}", file=sys.stderr)
    return 2
  except BrokenPipeError:  # the reader of our output went away, as `head` does
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
  except OSError as error:
    if error.errno not in NO_ROOM:
      raise
    where = f" ({error.filename})" if error.filename else ""
    print(
      f"rarebird: {error.strerror}{where}; make room, and the same command resumes.",
      file=sys.stderr,
    )
    return 2
  except KeyboardInterrupt:
    return 130
