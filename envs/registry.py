"""Names to builders: one registry class for environments, agents, bonuses, torsos and cores."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any


class UnknownNameError(ValueError):
  """A name that no registry entry and no `module:Name` answers to."""


@dataclasses.dataclass(frozen=True)
class Entry:
  """One registered builder and the first line of its documentation."""

  name: str
  builder: Any
  summary: str


class Registry:
  """Maps names to builders of one kind.

  A builder is registered with the decorator `@registry.register("name")`. One that lives in a
  file of the user's own needs no registration: `module:Name` imports `module` (the working
  directory is searched first) and takes its attribute `Name`.
  """

  def __init__(self, kind: str):
    self.kind = kind
    self._entries: dict[str, Entry] = {}

  def register(self, name: str, summary: str | None = None) -> Callable[[Any], Any]:
    """Returns a decorator that files a builder under `name`; a name taken twice is an error."""

    def decorate(builder: Any) -> Any:
      if name in self._entries:
        raise ValueError(f"{self.kind} {name!r} is registered already; choose another name.")
      doc = summary or (builder.__doc__ or "").strip().partition("\n")[0]
      self._entries[name] = Entry(name, builder, doc)
      return builder

    return decorate

  def __iter__(self) -> Iterator[Entry]:
    return iter(self._entries[name] for name in sorted(self._entries))

  def names(self) -> list[str]:
    return sorted(self._entries)

  def get(self, name: str) -> Any:
    """Returns the builder of `name`, or of `module:Name`.

    Raises:
      UnknownNameError: one line with the nearest names.
    """
    if name in self._entries:
      return self._entries[name].builder
    module_name, colon, attribute = name.partition(":")
    if colon:
      return self._import(name, module_name, attribute)
    near = difflib.get_close_matches(name, self.names(), n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(self.names())}."
    raise UnknownNameError(
      f"unknown {self.kind} {name!r}: {hint} (one of your own is named module:Name)"
    )

  def _import(self, name: str, module_name: str, attribute: str) -> Any:
    if os.getcwd() not in sys.path:
      sys.path.insert(0, os.getcwd())
    try:
      module = importlib.import_module(module_name)
    except ImportError as error:
      raise UnknownNameError(
        f"{self.kind} {name!r}: cannot import module {module_name!r} ({error})."
      ) from error
    try:
      return getattr(module, attribute)
    except AttributeError:
      public = [n for n in vars(module) if not n.startswith("_")]
      near = difflib.get_close_matches(attribute, public, n=3)
      hint = f"; did you mean {' or '.join(near)}?" if near else "."
      raise UnknownNameError(
        f"{self.kind} {name!r}: module {module_name!r} has no {attribute!r}{hint}"
      ) from None
