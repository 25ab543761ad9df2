"""Names to builders: one registry class for environments, agents, bonuses, torsos and cores."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import importlib
import inspect
import os
import pathlib
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

SHOWN = 8
"""Names of a file that a message tells."""


class UnknownNameError(ValueError):
  """A name that no registry entry and no `module:Name` answers to."""


@dataclasses.dataclass(frozen=True)
class Entry:
  """One registered builder and the first line of its documentation."""

  name: str
  builder: Any
  summary: str


@dataclasses.dataclass(frozen=True)
class Family:
  """A builder of all names that begin with a prefix; it takes the rest of the name first.

  Attributes:
    prefix: such as "atari/".
    entry: how the family is listed: "atari/<game>".
    names: returns the rests that are known, and nothing where the library is not installed.
  """

  prefix: str
  entry: Entry
  names: Callable[[], Iterable[str]]


class Registry:
  """Maps names to builders of one kind.

  A builder is registered with the decorator `@registry.register("name")`. One that lives in a
  file of the user's own needs no registration: `module:Name` imports `module` (the working
  directory is searched first) and takes its attribute `Name`.
  """

  def __init__(self, kind: str, adopt: Callable[[Any], Any] = lambda builder: builder):
    """`kind` is what messages call the things named; `adopt` is applied to a user's own builder."""
    self.kind = kind
    self._adopt = adopt
    self._entries: dict[str, Entry] = {}
    self._families: list[Family] = []
    self._hints: list[Callable[[str], str | None]] = []

  def register(self, name: str, summary: str | None = None) -> Callable[[Any], Any]:
    """Returns a decorator that files a builder under `name`; a name taken twice is an error."""

    def decorate(builder: Any) -> Any:
      if name in self._entries:
        raise ValueError(f"{self.kind} {name!r} is registered already; choose another name.")
      self._entries[name] = Entry(name, builder, summary or _summary(builder))
      return builder

    return decorate

  def family(
    self, prefix: str, rest: str, names: Callable[[], Iterable[str]] = tuple
  ) -> Callable[[Any], Any]:
    """Returns a decorator that files a builder under all names beginning with `prefix`.

    Args:
      prefix: such as "atari/"; `get("atari/pong")` returns the builder with "pong" filled in.
      rest: what stands for the rest in lists: "game" shows as "atari/<game>".
      names: returns the rests that are known; where it returns none, all are taken. Its
        ImportError, of a library that is not installed, counts as none.
    """

    def decorate(builder: Any) -> Any:
      entry = Entry(f"{prefix}<{rest}>", builder, _summary(builder))
      self._families.append(Family(prefix, entry, names))
      return builder

    return decorate

  def hint(self, known_elsewhere: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """Decorates what knows the names of others: it returns how we spell one, or None."""
    self._hints.append(known_elsewhere)
    return known_elsewhere

  def __iter__(self) -> Iterator[Entry]:
    """What can be named, a family as one entry."""
    entries = [*self._entries.values(), *(family.entry for family in self._families)]
    return iter(sorted(entries, key=lambda entry: entry.name))

  def names(self) -> list[str]:
    """The names registered one by one, without the families."""
    return sorted(self._entries)

  def get(self, name: str) -> Any:
    """Returns the builder of `name`, of its family, or of `module:Name`.

    Raises:
      UnknownNameError: one line with the nearest names.
    """
    if name in self._entries:
      return self._entries[name].builder
    for family in self._families:
      if name.startswith(family.prefix):
        return self._member(family, name)
    module_name, colon, attribute = name.partition(":")
    if colon:
      return self._import(name, module_name, attribute)
    if told := _lies_here(name):
      raise UnknownNameError(f"{self.kind} {name!r}: {told}")
    raise self._unknown(name, [entry.name for entry in self], cutoff=0.4)

  def is_own(self, name: str) -> bool:
    """Whether a name is a user's own, `module:Name`: neither registered nor of a family."""
    ours = name in self._entries or any(name.startswith(family.prefix) for family in self._families)
    return ":" in name and not ours

  def _member(self, family: Family, name: str) -> Any:
    rest = name.removeprefix(family.prefix)
    try:
      known = set(family.names())
    except ImportError:
      known = set()
    if known and rest not in known:
      # Always the nearest, never the whole list: a library may know a thousand.
      raise self._unknown(name, sorted(family.prefix + other for other in known), cutoff=0.0)
    return functools.partial(family.entry.builder, rest)

  def _unknown(self, name: str, known: list[str], cutoff: float) -> UnknownNameError:
    near = [spelling for hint in self._hints if (spelling := hint(name))]
    near = near or difflib.get_close_matches(name, known, n=3, cutoff=cutoff)
    advice = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}."
    return UnknownNameError(
      f"unknown {self.kind} {name!r}: {advice} (one of your own is named module:Name)"
    )

  def _import(self, name: str, module_name: str, attribute: str) -> Any:
    if not (module_name and attribute):
      raise UnknownNameError(f"{self.kind} {name!r}: write module:Name, both of them.")
    try:
      module = import_own(module_name, f":{attribute}")
    except UnknownNameError as error:
      raise UnknownNameError(f"{self.kind} {name!r}: {error}") from None
    try:
      return self._adopt(getattr(module, attribute))
    except AttributeError:
      public = [n for n in vars(module) if not n.startswith("_")]
      near = difflib.get_close_matches(attribute, public, n=3)
      hint = f"; did you mean {' or '.join(near)}?" if near else "."
      raise UnknownNameError(
        f"{self.kind} {name!r}: module {module_name!r} has no {attribute!r}{hint}"
      ) from None


def import_own(name: str, rest: str = "") -> types.ModuleType:
  """Imports a module of the user's own; the working directory is searched first.

  Args:
    name: as in an import statement.
    rest: what follows it where it is written, for advice how to spell it.

  Raises:
    UnknownNameError: one line, if there is no such module. What its own code raises, a failed
      import too, is left as it is.
  """
  if name.startswith(".") or os.sep in name or name.endswith(".py"):  # a file's, not a module's
    spelling = os.path.normpath(name).removesuffix(".py").replace(os.sep, ".")
    advice = "name its folder in PYTHONPATH, and the module as `import` does."
    if not spelling.startswith("."):
      advice = f"did you mean {spelling}{rest}?"
    raise UnknownNameError(f"{name!r} is no name of a module: {advice}")
  if os.getcwd() not in sys.path:
    sys.path.insert(0, os.getcwd())
  try:
    return importlib.import_module(name)
  except ModuleNotFoundError as error:
    if error.name is None or not f"{name}.".startswith(f"{error.name}."):
      raise  # of an import of its own
    raise UnknownNameError(
      f"cannot import module {name!r} ({error}); run where its file lies, or name its folder in"
      " PYTHONPATH."
    ) from error


def _lies_here(name: str) -> str | None:
  """What to write where `name` is that of a file in the working directory, with what it defines."""
  module = name.removesuffix(".py")
  file = pathlib.Path(f"{module}.py")
  if not (module.isidentifier() and file.is_file()):
    return None
  try:
    body = ast.parse(file.read_bytes()).body
  except (SyntaxError, ValueError):  # told when it is imported
    body = []
  named = [n.name for n in body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
  public = [n for n in named if not n.startswith("_")]
  more = f" and {len(public) - SHOWN} more" if len(public) > SHOWN else ""
  has = f"; it has {', '.join(public[:SHOWN])}{more}" if public else ""
  return f"{file} lies here: write {module}:NAME{has}."


class SettingsError(ValueError):
  """A builder was given a setting that it does not have, or not one that it needs."""


def check_call(builder: Any, settings: Mapping[str, Any]) -> None:
  """Raises SettingsError, one line, where `builder(**settings)` is no call that it takes."""
  try:
    signature = inspect.signature(builder)
  except (TypeError, ValueError):  # a builtin
    return
  try:
    signature.bind(**settings)
  except TypeError as error:
    told = str(error)
    if told.startswith("missing"):
      missing = [
        name
        for name, parameter in signature.parameters.items()
        if name not in settings
        and parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
      ]
      told += f"; give --env-args {' '.join(f'{name}=...' for name in missing)}"
    raise SettingsError(told) from None


def _summary(builder: Any) -> str:
  return (builder.__doc__ or "").strip().partition("\n")[0]
