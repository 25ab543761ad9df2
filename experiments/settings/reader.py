"""Reads the flags of a command, and says what is wrong with them or prints what there are."""

from __future__ import annotations

import argparse
import functools
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from experiments.settings import choices, misplaced
from experiments.settings.errors import UserError
from experiments.settings.flags import REQUIRED, Flag, changed, chosen, hyphens, of_others, walk

Config = TypeVar("Config")


def read(command: str, arguments: Sequence[str], config: Config, about: str = "") -> Config:
  """Reads the arguments of a command.

  Args:
    command: its name, for messages and help.
    arguments: what follows it.
    config: the defaults, an instance; `REQUIRED` where there is none.
    about: what the command does, for its help.

  Raises:
    UserError: one line that names the flag, and of a wrong name the nearest right one.
    SystemExit: with status 0, after --help.
  """
  words = hyphens(arguments)
  config = chosen(config, words)
  flags = list(walk(config))
  if "--help" in words or "-h" in words:
    _print_help(command, about, flags, everything="all" in words)
    raise SystemExit(0)
  parser = _Parser(command, flags)
  given, rest = parser.parse_known_args(_joined(words))
  if rest:
    raise UserError(misplaced.told(command, flags, rest))
  changes = {flag.path: getattr(given, _key(i), REQUIRED) for i, flag in enumerate(flags)}
  changes = {path: value for path, value in changes.items() if value is not REQUIRED}
  for flag in flags:
    if flag.default is REQUIRED and flag.path not in changes:
      raise UserError(f"{_shown(flag)} is needed: {flag.help}")
  choice_paths = {flag.path for flag in flags if flag.registry is not None}
  changes = {path: value for path, value in changes.items() if path not in choice_paths}
  try:
    return changed(config, changes)
  except ValueError as error:
    raise UserError(str(error)) from error


def _joined(words: list[str]) -> list[str]:
  """A flag and the negative number after it as one word: argparse takes -1e-3 for a flag."""
  out: list[str] = []
  for word in words:
    if out and word.startswith("-") and out[-1].startswith("--") and "=" not in out[-1]:
      with_sign = _number(word)
      if with_sign:
        out[-1] += f"={word}"
        continue
    out.append(word)
  return out


def _number(word: str) -> bool:
  try:
    float(word)
  except ValueError:
    return False
  return True


def _key(index: int) -> str:
  return f"flag{index}"


def _shown(flag: Flag) -> str:
  return flag.name.upper() if flag.positional else f"--{flag.name}"


def _of_type(kind: Any, text: str) -> Any:
  """Reads a value; what it must be is told by ArgumentTypeError, as argparse has it."""
  try:
    return choices.convert(kind, text)
  except ValueError as error:
    raise argparse.ArgumentTypeError(str(error)) from None


class _Switch(argparse.Action):
  """Yes by the flag, no by the one with `no-` before its last part."""

  def __init__(self, option_strings: Sequence[str], dest: str, **options: Any):
    super().__init__(option_strings, dest, nargs=0, **options)

  def __call__(
    self, parser: Any, namespace: Any, values: Any, option_string: str | None = None
  ) -> None:
    setattr(namespace, self.dest, option_string == self.option_strings[0])


class _Tuple(argparse.Action):
  def __call__(
    self, parser: Any, namespace: Any, values: Any, option_string: str | None = None
  ) -> None:
    setattr(namespace, self.dest, tuple(values))


class _Parser(argparse.ArgumentParser):
  """argparse with these flags, whose complaints are UserErrors."""

  def __init__(self, command: str, flags: Sequence[Flag], about: str = ""):
    super().__init__(
      f"rarebird {command}",
      f"rarebird {command} [flags]",
      description=about,
      add_help=False,
      allow_abbrev=False,
      argument_default=argparse.SUPPRESS,
    )
    groups: dict[str, Any] = {}
    for i, flag in enumerate(flags):
      if flag.group not in groups:
        groups[flag.group] = self.add_argument_group(flag.group.rstrip("."))
      self._add(groups[flag.group], flag, _key(i))

  @staticmethod
  def _add(group: Any, flag: Flag, key: str) -> None:
    shown = "" if flag.default is REQUIRED else f" ({_default(flag.default)})"
    options: dict[str, Any] = {"help": f"{flag.help}{shown}".replace("%", "%%")}
    kind = flag.kind
    if flag.positional:
      options |= {"type": functools.partial(_of_type, kind), "metavar": flag.name.upper()}
      # Optional for argparse, so that what is missing is told in our words.
      group.add_argument(key, nargs="?", default=REQUIRED, **options)
      return
    if kind is bool:
      group.add_argument(f"--{flag.name}", f"--{flag.off}", dest=key, action=_Switch, **options)
      return
    if typing.get_origin(kind) is tuple:
      kind = typing.get_args(kind)[0]
      options |= {"action": _Tuple, "nargs": "*"}
    options |= {"type": functools.partial(_of_type, kind), "metavar": _metavar(kind)}
    group.add_argument(f"--{flag.name}", dest=key, **options)

  def error(self, message: str) -> typing.NoReturn:
    # As a sentence that begins with the flag.
    message = message.removeprefix("argument ")
    raise UserError(message if message.endswith((".", "?")) else f"{message}.")


def _metavar(kind: Any) -> str:
  if typing.get_origin(kind) is Literal:
    return "{" + ",".join(map(str, typing.get_args(kind))) + "}"
  return {int: "INT", float: "NUMBER", Path: "PATH"}.get(kind, "NAME" if kind is str else "VALUE")


def _default(value: Any) -> str:
  if isinstance(value, bool):
    return "yes" if value else "no"
  if isinstance(value, tuple):
    return " ".join(map(str, value)) or "none"
  return "empty" if value == "" else str(value)


def _print_help(command: str, about: str, flags: list[Flag], everything: bool) -> None:
  parser = _Parser(command, flags, about)
  if not everything and any(flag.registry for flag in flags):
    parser.epilog = "--help all also shows the settings of what is not chosen."
  print(parser.format_help(), end="")
  if everything:
    for _, _, theirs in of_others(flags):
      group = _Parser(command, theirs)
      group.usage = argparse.SUPPRESS
      print(f"\n{group.format_help()}", end="")
