"""Names to builders: one registry class for environments, agents, bonuses, torsos and cores."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from envs import method_files
from envs.own_modules import UnknownNameError, import_own, lies_here

AUTO = "auto"
"""Stands for the method that fits, where that depends on the environment."""
REGISTRY = "registry"
"""In the metadata of a dataclass's field that holds a `Choice`: the registry that it is of."""
LATER = "later"
"""In the metadata of a field: stored settings may lack it, and do where it has its default, so that
what was written before there was such a field stays as it is."""


class RegistrationError(ValueError):
  """A method's file cannot be taken: it does not import, or registers what it may not."""


@dataclasses.dataclass(frozen=True)
class Choice:
  """A method that was chosen, with its settings.

  Attributes:
    name: as on the command line.
    settings: an instance of the settings class that it is registered with, or None if it has none.
  """

  name: str
  settings: Any = None


@dataclasses.dataclass(frozen=True)
class Entry:
  """One registered builder.

  Attributes:
    name: as it is given.
    builder: what makes it.
    settings: a dataclass that can be made without arguments, or None.
    summary: one line.
  """

  name: str
  builder: Any
  settings: type | None = None
  summary: str = ""


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

  A method is a file of the registry's folder, which registers itself with the decorator
  `@registry.register("name", Settings)`, and is imported when it is asked for. One in a file of
  the user's own is named `module:Name`: that imports `module` (the working directory is searched
  first) and takes its attribute `Name`, with the settings that it is registered with there, if it
  is.
  """

  def __init__(
    self,
    kind: str,
    folder: str = "",
    several: bool = False,
  ):
    """A registry of the methods in a folder.

    Args:
      kind: what messages call the things named.
      folder: package of the methods' files, such as "agents.bonuses"; "" for none.
      several: a file may register several names; see `envs.method_files.read`.
    """
    self.kind = kind
    self.folder = folder
    self._several = several
    self._entries: dict[str, Entry] = {}
    self._families: dict[str, Family] = {}
    self._hints: list[Callable[[str], str | None]] = []

  @functools.cached_property
  def _files(self) -> method_files.Folder:
    if not self.folder:
      return method_files.Folder((), ())
    return method_files.read(self.folder, self._several)

  def register(
    self, name: str, settings: type | None = None, summary: str | None = None
  ) -> Callable[[Any], Any]:
    """Returns a decorator that files a builder under `name`.

    Args:
      name: a literal, as files are listed without being imported.
      settings: a frozen dataclass whose fields have defaults, each a flag; None for none.
      summary: one line; by default the first of the builder's docstring.

    Raises:
      RegistrationError: one line, if the name is taken, or not that of the method's file.
    """
    module = sys._getframe(1).f_globals.get("__name__", "")

    def decorate(builder: Any) -> Any:
      self._check(name, module)
      self._entries[name] = Entry(name, builder, settings, summary or _summary(builder))
      return builder

    return decorate

  def _check(self, name: str, module: str) -> None:
    if name in self._entries:
      raise RegistrationError(f"{self.kind} {name!r} is registered already; choose another name.")
    here = {line.module: line for line in self._files.listed}
    if module in here:
      if here[module].error:
        raise RegistrationError(here[module].error)
      return
    for line in self._files.listed:
      if line.name == name and not line.error:
        raise RegistrationError(
          f"{self.kind} {name!r} is one of ours ({line.path}); choose another name."
        )

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
      entry = Entry(f"{prefix}<{rest}>", builder, summary=_summary(builder))
      self._families[prefix] = Family(prefix, entry, names)
      return builder

    return decorate

  def hint(self, known_elsewhere: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """Decorates what knows the names of others: it returns how we spell one, or None."""
    self._hints.append(known_elsewhere)
    return known_elsewhere

  def __iter__(self) -> Iterator[Entry | method_files.Listed]:
    """What can be named, by `name` and `summary`, a family as one entry; nothing is imported."""
    lines: dict[str, Entry | method_files.Listed] = {line.name: line for line in self._files.listed}
    for entry in (*self._entries.values(), *(f.entry for f in self._families.values())):
      lines.setdefault(entry.name, entry)
    return iter(sorted(lines.values(), key=lambda line: line.name))

  def names(self) -> list[str]:
    """The names registered one by one, without the families and what cannot be used."""
    listed = {line.name for line in self._files.listed if not (line.prefix or line.error)}
    return sorted(listed | set(self._entries))

  def get(self, name: str) -> Any:
    """Returns the builder of `name`, of its family, or of `module:Name`.

    Raises:
      UnknownNameError: one line with the nearest names.
      RegistrationError: one line, if the method's file cannot be taken.
    """
    return self.entry(name).builder

  def entry(self, name: str) -> Entry:
    """The builder of `name` with its settings class; raises what `get` raises."""
    if name in self._entries:
      return self._entries[name]
    files = [line for line in self._files.listed if line.name == name and not line.prefix]
    if files:
      self._import_file(name, files)
      return self._entries[name]
    for line in self._files.listed:
      if line.prefix and name.startswith(line.prefix) and line.prefix not in self._families:
        self._import_file(name, [line])
    for family in self._families.values():
      if name.startswith(family.prefix):
        return self._member(family, name)
    module_name, colon, attribute = name.partition(":")
    if colon:
      return self._import(name, module_name, attribute)
    if told := lies_here(name):
      raise UnknownNameError(f"{self.kind} {name!r}: {told}")
    for line in self._files.listed:
      if line.error and name in line.error:
        raise RegistrationError(f"{self.kind} {name!r}: {line.error}")
    raise self._unknown(name, [line.name for line in self], cutoff=0.4)

  def is_own(self, name: str) -> bool:
    """Whether a name is a user's own, `module:Name`: neither registered nor of a family."""
    listed = any(
      line.name == name or (line.prefix and name.startswith(line.prefix))
      for line in self._files.listed
    )
    ours = name in self._entries or listed or any(name.startswith(p) for p in self._families)
    return ":" in name and not ours

  def _import_file(self, name: str, files: list[method_files.Listed]) -> None:
    """Imports the file that registers a name."""
    if wrong := next((line.error for line in files if line.error), ""):
      raise RegistrationError(f"{self.kind} {name!r}: {wrong}")
    if len(files) > 1:
      both = " and ".join(str(line.path) for line in files)
      raise RegistrationError(f"{self.kind} {name!r} is registered by both {both}; rename one.")
    path = files[0].path
    try:
      importlib.import_module(files[0].module)
    except RegistrationError as error:
      raise RegistrationError(f"{self.kind} {name!r}: {error}") from error
    except Exception as error:  # whatever its code raises
      lines = [
        f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)
      ]
      place = f"line {lines[-1]}, " if lines else ""
      told = str(error).partition("\n")[0]
      raise RegistrationError(
        f"{self.kind} {name!r}: {path} does not import ({place}{type(error).__name__}: {told})."
      ) from error

  def choice(self, name: str, **settings: Any) -> Choice:
    """A method by name, with its settings where they differ from the defaults.

    Raises:
      ValueError: for a name or a setting that there is not, and for a value that it refuses.
    """
    kind = self.settings(name)
    if kind is None and not settings:
      return Choice(name)
    known = [] if kind is None else [f.name for f in dataclasses.fields(kind)]
    for setting in settings:
      if setting not in known:
        near = difflib.get_close_matches(setting, known, n=1)
        has = f"did you mean {near[0]}?" if near else f"it has: {', '.join(known) or 'none'}."
        raise ValueError(f"{self.kind} {name!r} has no setting {setting!r}; {has}")
    assert kind is not None
    return Choice(name, kind(**settings))

  def settings(self, name: str) -> type | None:
    """The settings class of a method; None for `auto`, and for one without settings."""
    return None if name == AUTO else self.entry(name).settings

  def build(self, choice: Choice, *arguments: Any, **named: Any) -> Any:
    """Calls the builder of a choice: builder(own settings, *arguments).

    Raises:
      ValueError: as `get`, and for settings that are another method's.
    """
    return self.get(choice.name)(self.settings_of(choice), *arguments, **named)

  def settings_of(self, choice: Choice) -> Any:
    """A choice's settings, its method's defaults where it has none; raises what `build` raises."""
    kind = self.settings(choice.name)
    if kind is None:
      return choice.settings
    if choice.settings is not None and not isinstance(choice.settings, kind):
      raise ValueError(
        f"{self.kind} {choice.name!r} takes {kind.__name__}, not {type(choice.settings).__name__}."
      )
    return kind() if choice.settings is None else choice.settings

  def family_of(self, prefix: str) -> Family:
    """The family of all names that begin with `prefix`; a KeyError if there is none."""
    if prefix not in self._families:
      for line in self._files.listed:
        if line.prefix == prefix:
          self._import_file(prefix, [line])
    return self._families[prefix]

  def _member(self, family: Family, name: str) -> Entry:
    rest = name.removeprefix(family.prefix)
    try:
      known = set(family.names())
    except ImportError:
      known = set()
    if known and rest not in known:
      # Always the nearest, never the whole list: a library may know a thousand.
      raise self._unknown(name, sorted(family.prefix + other for other in known), cutoff=0.0)
    return Entry(name, functools.partial(family.entry.builder, rest))

  def _unknown(self, name: str, known: list[str], cutoff: float) -> UnknownNameError:
    for module in self._files.hints:
      importlib.import_module(module)
    near = [spelling for hint in self._hints if (spelling := hint(name))]
    near = near or difflib.get_close_matches(name, known, n=3, cutoff=cutoff)
    advice = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}."
    return UnknownNameError(
      f"unknown {self.kind} {name!r}: {advice} (one of your own is named module:Name)"
    )

  def _import(self, name: str, module_name: str, attribute: str) -> Entry:
    if not (module_name and attribute):
      raise UnknownNameError(f"{self.kind} {name!r}: write module:Name, both of them.")
    try:
      module = import_own(module_name, f":{attribute}")
    except UnknownNameError as error:
      raise UnknownNameError(f"{self.kind} {name!r}: {error}") from None
    try:
      builder = getattr(module, attribute)
    except AttributeError:
      public = [n for n in vars(module) if not n.startswith("_")]
      near = difflib.get_close_matches(attribute, public, n=3)
      hint = f"; did you mean {' or '.join(near)}?" if near else "."
      raise UnknownNameError(
        f"{self.kind} {name!r}: module {module_name!r} has no {attribute!r}{hint}"
      ) from None
    for entry in self._entries.values():
      if entry.builder is builder:
        return dataclasses.replace(entry, name=name)
    return Entry(name, builder, summary=_summary(builder))


def choice_field(registry: Registry, name: str, **settings: Any) -> Any:
  """A field of a dataclass that holds a choice of a registry, by default of this name."""
  return dataclasses.field(
    default_factory=functools.partial(registry.choice, name, **settings),
    metadata={REGISTRY: registry},
  )


def choices_field(registry: Registry, *names: str) -> Any:
  """A field of a dataclass that holds any number of choices of a registry, by default these."""
  return dataclasses.field(
    default_factory=lambda: tuple(registry.choice(name) for name in names),
    metadata={REGISTRY: registry},
  )


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
