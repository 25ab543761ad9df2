"""Settings as flags: documented dataclasses, each field a flag, and the settings of what is chosen.

A field's flag is its name with hyphens, its help the docstring below it. The fields of a dataclass
within are flags like its own. A choice (`envs.registry.Choice`) is a flag that takes a method's
name, and the settings of the method that is chosen are flags under it: `--bonus rnd --bonus.size
256`. A method may also carry its settings: `--bonus "rnd?size=256"`.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import itertools
import textwrap
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from envs.registry import REGISTRY, Choice, RegistrationError, Registry
from experiments.settings import choices

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
    registry: of a choice, or of several at once, what is chosen from.
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
  def several(self) -> bool:
    """Whether any number of methods may be chosen at once."""
    return self.registry is not None and isinstance(self.default, tuple)

  @property
  def methods(self) -> tuple[str, ...]:
    """The names of the methods that are chosen."""
    return self.default if self.several else (self.default,)

  def under(self, method: str) -> str:
    """What the flags of a method's settings begin with; of several, each has its name in it."""
    return f"{self.name}.{method.replace('_', '-')}." if self.several else f"{self.name}."

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
    elif REGISTRY in field.metadata:
      names = tuple(choice.name for choice in value)
      flag = Flag(name, here, tuple[str, ...], names, told, group, False, field.metadata[REGISTRY])
      yield flag
      for choice in value:
        if choice.settings is not None:
          title = f"--{name} {choice.name}: {_first_line(type(choice.settings))}"
          place = (*here, choice.name, "settings")
          within.append(walk(choice.settings, place, flag.under(choice.name), title))
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
      if name in flag.methods:
        continue
      try:
        kind = flag.registry.settings(name)
      except RegistrationError:
        continue
      if kind is not None:
        title = f"--{flag.name} {name}: {_first_line(kind)}"
        yield flag, name, list(walk(kind(), (), flag.under(name), title))


def value_of(arguments: Sequence[str], name: str, default: str) -> str:
  """The value of a flag that says what further flags there are, such as --agent; the last given."""
  found = default
  words = hyphens(arguments)
  for word, following in itertools.pairwise([*words, ""]):
    if word == f"--{name}":
      found = following
    elif word.startswith(f"--{name}="):
      found = word.partition("=")[2]
  return found


NOTHING = "none"
"""Stands for no method, where any number may be chosen."""


def values_of(arguments: Sequence[str], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
  """The values of a flag that takes any number of methods; the last given."""
  values, words = default, hyphens(arguments)
  for i, word in enumerate(words):
    if word == f"--{name}":
      values = tuple(itertools.takewhile(lambda x: not x.startswith("--"), words[i + 1 :]))
    elif word.startswith(f"--{name}="):
      values = (word.partition("=")[2],)
  return () if values == (NOTHING,) else values


def changed(config: Config, changes: Mapping[tuple[str, ...], Any]) -> Config:
  """The config with other values at some paths; each dataclass is made anew once."""
  inner: dict[str, dict[tuple[str, ...], Any]] = {}
  for path, value in changes.items():
    inner.setdefault(path[0], {})[path[1:]] = value
  if isinstance(config, tuple):  # of choices, by name
    return tuple(changed(x, inner[x.name]) if x.name in inner else x for x in config)  # type: ignore[return-value]
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
  changes: dict[tuple[str, ...], Any] = {}
  for flag in walk(config):
    if flag.registry is None:
      continue
    if flag.several:
      texts = values_of(arguments, flag.name, flag.default)
      if texts != flag.default:
        changes[flag.path] = choices.parse_several(flag.registry, texts, f"--{flag.name}")
    else:
      text = value_of(arguments, flag.name, flag.default)
      if text != flag.default:
        changes[flag.path] = choices.parse(flag.registry, text, f"--{flag.name}")
  return changed(config, changes) if changes else config


def words(config: Any, default: Any) -> list[str]:
  """The flags, and their values, that make `config` of `default`."""
  flags = list(walk(config))
  usual = {flag.path: flag.default for flag in walk(default)}
  for flag in flags:
    # A method that is not the default's begins with its own defaults.
    if flag.registry is None or flag.default == usual.get(flag.path):
      continue
    before = usual.get(flag.path, ()) if flag.several else ()
    for method in flag.methods:
      own = flag.registry.choice(method).settings
      if own is not None and method not in before:
        place = (*flag.path, method, "settings") if flag.several else (*flag.path, "settings")
        usual |= {f.path: f.default for f in walk(own, place)}
  out: list[str] = []
  for flag in flags:
    if flag.default == usual.get(flag.path, REQUIRED):
      continue
    if isinstance(flag.default, bool):
      out.append(f"--{flag.name if flag.default else flag.off}")
    elif isinstance(flag.default, tuple):
      nothing = [NOTHING] if flag.several and not flag.default else []
      out += [f"--{flag.name}", *map(str, flag.default), *nothing]
    else:
      out += [f"--{flag.name}", str(flag.default)]
  return out


def hyphens(arguments: Sequence[str]) -> list[str]:
  """The arguments with hyphens in the names of flags, which may be written with underscores."""
  out = []
  for word in arguments:
    name, equals, value = word.partition("=")
    out.append(name.replace("_", "-") + equals + value if word.startswith("--") else word)
  return out
