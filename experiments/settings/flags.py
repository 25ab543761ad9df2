"""Settings as flags: documented dataclasses, each field a flag, and the settings of what is chosen.

A field's flag is its name with hyphens, its help the docstring below it. The fields of a dataclass
within are flags like its own. A choice (`envs.registry.Choice`) is a flag that takes a method's
name, and the settings of the method that is chosen are flags under it: `--bonus rnd --bonus.size
256`. A method may also carry its settings: `--bonus "rnd?size=256"`.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import difflib
import functools
import inspect
import itertools
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from envs.registry import REGISTRY, Choice, RegistrationError, Registry
from experiments.settings import choices
from experiments.settings.errors import UserError

Config = TypeVar("Config")


class _Required:
  def __repr__(self) -> str:
    return "needed"


REQUIRED: Any = _Required()
"""Stands in a default config for what must be given."""


class Flag(NamedTuple):
  """A flag.

  Attributes:
    name: "objective.clip-value", without the two hyphens.
    path: of the field within the config, names of attributes.
    kind: its type.
    default: its value without the flag.
    help: one line.
    group: the title under which it is listed.
    positional: whether it is given without its name.
    registry: of a choice, what it is chosen from.
  """

  name: str
  path: tuple[str, ...]
  kind: Any
  default: Any
  help: str
  group: str
  positional: bool = False
  registry: Registry | None = None

  @property
  def off(self) -> str:
    """The flag that says no, of one that is yes or no."""
    head, dot, last = self.name.rpartition(".")
    return f"{head}{dot}no-{last}"


def named(name: str, default: Any) -> Any:
  """A field whose flag has another name."""
  return dataclasses.field(default=default, metadata={"flag": name})


def positional(default: Any = dataclasses.MISSING) -> Any:
  """A field that is given without its name."""
  return dataclasses.field(default=default, metadata={"positional": True})


@functools.cache
def _documents(kind: type) -> dict[str, str]:
  """The docstrings below the fields of a class and of those it is made of, one line each."""
  out: dict[str, str] = {}
  for part in reversed(kind.__mro__[:-1]):
    try:
      tree = ast.parse(textwrap.dedent(inspect.getsource(part)))
    except (OSError, TypeError, SyntaxError):  # a class without a file has no docstrings to read
      continue
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for node, below in itertools.pairwise(body):
      if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        told = below.value if isinstance(below, ast.Expr) else None
        if isinstance(told, ast.Constant) and isinstance(told.value, str):
          out[node.target.id] = " ".join(told.value.split())
  return out


def walk(
  config: Any, path: tuple[str, ...] = (), prefix: str = "", group: str = ""
) -> Iterator[Flag]:
  """The flags of a config, those of a dataclass's own fields before those of others within."""
  kind = type(config)
  hints = typing.get_type_hints(kind)
  documents: dict[str, str] = _documents(kind)  # type: ignore[arg-type]
  group = group or (kind.__doc__ or "").strip().partition("\n")[0]
  within: list[Iterator[Flag]] = []
  for field in dataclasses.fields(config):
    value, here = getattr(config, field.name), (*path, field.name)
    name = prefix + field.metadata.get("flag", field.name.replace("_", "-"))
    told = documents.get(field.name, "")
    if isinstance(value, Choice):
      registry = field.metadata.get(REGISTRY)
      yield Flag(name, here, str, value.name, told, group, registry=registry)
      if value.settings is not None:
        title = f"--{name} {value.name}: {_first_line(type(value.settings))}"
        within.append(walk(value.settings, (*here, "settings"), f"{name}.", title))
    elif dataclasses.is_dataclass(value):
      within.append(walk(value, here, prefix))
    else:
      where = bool(field.metadata.get("positional"))
      yield Flag(name, here, hints[field.name], value, told, group, positional=where)
  for flags in within:
    yield from flags


def _first_line(kind: type) -> str:
  return (kind.__doc__ or "").strip().partition("\n")[0]


def of_others(flags: Sequence[Flag]) -> Iterator[tuple[Flag, str, list[Flag]]]:
  """Of every choice the methods that were not chosen, each with its flags.

  One whose file cannot be taken is left out; naming it tells why.
  """
  for flag in flags:
    if flag.registry is None:
      continue
    for name in flag.registry.names():
      if name == flag.default:
        continue
      try:
        kind = flag.registry.settings(name)
      except RegistrationError:
        continue
      if kind is not None:
        title = f"--{flag.name} {name}: {_first_line(kind)}"
        yield flag, name, list(walk(kind(), (), f"{flag.name}.", title))


def value_of(arguments: Sequence[str], name: str, default: str) -> str:
  """The value of a flag that says what further flags there are, such as --agent; the last given."""
  found = default
  words = _hyphens(arguments)
  for word, following in itertools.pairwise([*words, ""]):
    if word == f"--{name}":
      found = following
    elif word.startswith(f"--{name}="):
      found = word.partition("=")[2]
  return found


def changed(config: Config, changes: Mapping[tuple[str, ...], Any]) -> Config:
  """The config with other values at some paths; each dataclass is made anew once."""
  inner: dict[str, dict[tuple[str, ...], Any]] = {}
  for path, value in changes.items():
    inner.setdefault(path[0], {})[path[1:]] = value
  try:
    values = {
      name: parts[()] if () in parts else changed(getattr(config, name), parts)
      for name, parts in inner.items()
    }
  except ValueError as error:
    if isinstance(config, Choice):  # the setting's name alone may be that of many methods
      raise ValueError(f"{config.name}: {error}") from error
    raise
  return dataclasses.replace(config, **values)  # type: ignore[type-var]


def chosen(config: Config, arguments: Sequence[str]) -> Config:
  """The config with the methods that the arguments name; an unknown one is a UserError."""
  changes = {}
  for flag in walk(config):
    if flag.registry is not None:
      text = value_of(arguments, flag.name, flag.default)
      if text != flag.default:
        changes[flag.path] = choices.parse(flag.registry, text, f"--{flag.name}")
  return changed(config, changes) if changes else config


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
  words = _hyphens(arguments)
  config = chosen(config, words)
  flags = list(walk(config))
  if "--help" in words or "-h" in words:
    _print_help(command, about, flags, everything="all" in words)
    raise SystemExit(0)
  parser = _Parser(command, flags)
  given, rest = parser.parse_known_args(_joined(words))
  if rest:
    raise UserError(_wrong(command, flags, rest))
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


def words(config: Any, default: Any) -> list[str]:
  """The flags, and their values, that make `config` of `default`."""
  flags = list(walk(config))
  usual = {flag.path: flag.default for flag in walk(default)}
  for flag in flags:
    # A method that is not the default's begins with its own defaults.
    if flag.registry is not None and flag.default != usual.get(flag.path):
      own = flag.registry.choice(flag.default).settings
      if own is not None:
        usual |= {f.path: f.default for f in walk(own, (*flag.path, "settings"))}
  out: list[str] = []
  for flag in flags:
    if flag.default == usual.get(flag.path, REQUIRED):
      continue
    if isinstance(flag.default, bool):
      out.append(f"--{flag.name if flag.default else flag.off}")
    elif isinstance(flag.default, tuple):
      out += [f"--{flag.name}", *map(str, flag.default)]
    else:
      out += [f"--{flag.name}", str(flag.default)]
  return out


def _at(config: Any, path: tuple[str, ...]) -> Any:
  for name in path:
    config = getattr(config, name)
  return config


def _hyphens(arguments: Sequence[str]) -> list[str]:
  """The arguments with hyphens in the names of flags, which may be written with underscores."""
  out = []
  for word in arguments:
    name, equals, value = word.partition("=")
    out.append(name.replace("_", "-") + equals + value if word.startswith("--") else word)
  return out


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
  """Reads a value; what it must be is told by ArgumentTypeError."""
  if typing.get_origin(kind) is Literal:
    allowed = typing.get_args(kind)
    if text in allowed:
      return text
    near = difflib.get_close_matches(text, allowed, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(allowed)}{hint}")
  if isinstance(kind, types.UnionType):
    kind = next(part for part in typing.get_args(kind) if part is not types.NoneType)
  try:
    return kind(text)
  except ValueError:
    what = {int: "whole number", float: "number"}.get(kind, kind.__name__)
    raise argparse.ArgumentTypeError(f"{text!r} is no {what}") from None


class _Switch(argparse.Action):
  """Yes by the flag, no by the one with `no-` before its last part."""

  def __init__(self, option_strings: Sequence[str], dest: str, **options: Any):
    super().__init__(option_strings, dest, nargs=0, **options)

  def __call__(
    self, parser: Any, namespace: Any, values: Any, option_string: str | None = None
  ) -> None:
    setattr(namespace, self.dest, option_string == self.option_strings[0])


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
      group.add_argument(key, nargs="?", **options)
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


class _Tuple(argparse.Action):
  def __call__(
    self, parser: Any, namespace: Any, values: Any, option_string: str | None = None
  ) -> None:
    setattr(namespace, self.dest, tuple(values))


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


def _wrong(command: str, flags: list[Flag], rest: list[str]) -> str:
  """What to say of arguments that no flag takes."""
  word = next((word for word in rest if word.startswith("--")), None)
  if word is None:
    return f"{rest[0]!r} is not expected here; see rarebird {command} --help."
  name = word.partition("=")[0].removeprefix("--")
  others = list(of_others(flags))
  if told := _of_a_method(name, [*_chosen_methods(flags), *others]):
    return told
  known = {spelled: spelled for flag in flags for spelled in _spellings(flag)}
  theirs = {f.name: f"{f.name} (with --{c.name} {m})" for c, m, more in others for f in more}
  lasts = {n.rpartition(".")[2]: shown for n, shown in (theirs | known).items() if "." in n}
  for names in (known, lasts | theirs):
    if near := difflib.get_close_matches(name, names, n=1, cutoff=0.6):
      return f"there is no --{name}; did you mean --{names[near[0]]}?"
  return f"there is no --{name}; see rarebird {command} --help{' all' if others else ''}."


def _of_a_method(name: str, methods: list[tuple[Flag, str, list[Flag]]]) -> str:
  """What to say of a flag that is a method's, by its whole name, or its method's before it."""
  belongs = [
    (choice, method)
    for choice, method, flags in methods
    if any(name in _spellings(flag) for flag in flags)
  ]
  if belongs:
    choice, first = belongs[0]
    every = ", ".join(method for _, method in belongs)
    give = f"{choice.name} {first}" if len(belongs) == 1 else f"{choice.name} with one of them"
    return f"--{name} belongs to {every}, and --{choice.name} is {choice.default}; give --{give}."
  for choice, method, flags in methods:
    for flag in flags:
      last = flag.name.removeprefix(f"{choice.name}.")
      mine = method == choice.default
      if name == f"{method}-{last}".replace("_", "-") or (mine and name == last):
        give = "" if mine else f"--{choice.name} {method} "
        return f"there is no --{name}; {method} has it: give {give}--{flag.name}."
  return ""


def _spellings(flag: Flag) -> tuple[str, ...]:
  return (flag.name, flag.off) if flag.kind is bool else (flag.name,)


def _chosen_methods(flags: list[Flag]) -> Iterator[tuple[Flag, str, list[Flag]]]:
  """Of every choice the method that is chosen, with its flags."""
  for choice in flags:
    if choice.registry is not None:
      own = [flag for flag in flags if flag.name.startswith(f"{choice.name}.")]
      yield choice, choice.default, own
