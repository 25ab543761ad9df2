"""Configs as JSON text, as config.json holds them, with the version of their form."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, TypeVar

from envs.registry import LATER, REGISTRY, Choice

Config = TypeVar("Config")
FORMAT = 2
"""Of what is written. 1, which files do not name, held each method's settings beside all others."""
KEY = "format"


class OtherFormatError(ValueError):
  """A config of another version of Rarebird."""


def data(config: Any) -> dict[str, Any]:
  """The config as JSON values; a choice is {"name": ..., "settings": {...} or null}."""
  values = dataclasses.asdict(config)
  for field in dataclasses.fields(config):
    made = field.default_factory
    usual = field.default if made is dataclasses.MISSING else made()
    if LATER in field.metadata and getattr(config, field.name) == usual:
      del values[field.name]
  return {KEY: FORMAT, **values}


def text(config: Any) -> str:
  """The same as text."""
  return json.dumps(data(config), indent=2) + "\n"


def check_format(values: dict[str, Any]) -> None:
  """Raises OtherFormatError, one line, unless the values are of this version's form."""
  written = values.get(KEY, 1)
  if written == FORMAT:
    return
  by = "Rarebird 0.1" if written == 1 else f"a newer Rarebird (form {written} of its settings)"
  raise OtherFormatError(f"it was made by {by}: read it with that version, or make it anew")


def built(default: Config, values: dict[str, Any]) -> Config:
  """The config of JSON values; `default` is one of the same classes, its values are not read.

  Raises:
    ValueError: if a field is missing, unknown or refused.
  """
  fields: dict[str, Any] = {f.name: f for f in dataclasses.fields(default)}  # type: ignore[arg-type]
  kind = type(default)
  later = {name for name, field in fields.items() if LATER in field.metadata}
  if differing := (set(fields) ^ set(values)) - later:
    differ = ", ".join(sorted(differing))
    raise ValueError(
      f"this version of Rarebird has other settings ({differ}): read it with the version that made"
      " it, or make it anew"
    )
  out: dict[str, Any] = {}
  for name, value in values.items():
    usual = getattr(default, name)
    if isinstance(usual, Choice):
      out[name] = _choice(fields[name].metadata[REGISTRY], value)
    elif REGISTRY in fields[name].metadata:
      out[name] = tuple(_choice(fields[name].metadata[REGISTRY], one) for one in value)
    elif dataclasses.is_dataclass(usual):
      out[name] = built(usual, value)
    else:
      out[name] = tuple(value) if isinstance(usual, tuple) else value
  return kind(**out)


def _choice(registry: Any, value: dict[str, Any]) -> Choice:
  kind = registry.settings(value["name"])
  settings = value["settings"]
  if kind is None and settings is not None:
    raise ValueError(f"{registry.kind} {value['name']!r} has other settings")
  # Written before the method had any, it has those that came later.
  return Choice(value["name"], None if kind is None else built(kind(), settings or {}))


def flatten(values: dict[str, Any]) -> dict[str, Any]:
  """Nested dictionaries as one, names joined by dots."""
  flat: dict[str, Any] = {}
  for name, value in values.items():
    inner = flatten(value) if isinstance(value, dict) else {}
    flat |= {f"{name}.{n}": v for n, v in inner.items()} or {name: value}
  return flat
