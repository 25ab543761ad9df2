"""A method and its settings in one word: `rnd?size=256&share=0.5`."""

from __future__ import annotations

import ast
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from envs.registry import Choice, Registry
from experiments.settings.errors import UserError

TRUTH = {"true": True, "false": False}
YES_OR_NO = {"yes": True, "no": False} | TRUTH


def split(text: str, what: str) -> tuple[str, tuple[str, ...]]:
  """Splits name?setting=value&setting=value into the name and its settings.

  Args:
    text: what was given.
    what: by which flag, for the message.
  """
  name, _, rest = text.partition("?")
  settings = tuple(rest.split("&")) if rest else ()
  if not all("=" in setting for setting in settings):
    raise UserError(f"{what} {text!r}: write name?setting=value&setting=value.")
  return name, settings


def joined(name: str, settings: tuple[str, ...]) -> str:
  """The inverse of `split`."""
  return name + ("?" + "&".join(settings) if settings else "")


def convert(kind: Any, text: str) -> Any:
  """Reads a value of a type; what it must be is told by a ValueError."""
  if typing.get_origin(kind) is Literal:
    allowed = typing.get_args(kind)
    if text in allowed:
      return text
    near = difflib.get_close_matches(text, allowed, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"{text!r} is none of {', '.join(allowed)}{hint}")
  if typing.get_origin(kind) is tuple:
    return tuple(convert(typing.get_args(kind)[0], part) for part in text.split(","))
  if isinstance(kind, types.UnionType):
    kind = next(part for part in typing.get_args(kind) if part is not types.NoneType)
  if kind is bool:
    if text.lower() not in YES_OR_NO:
      raise ValueError(f"{text!r} is neither yes nor no")
    return YES_OR_NO[text.lower()]
  try:
    return kind(text)
  except ValueError:
    what = {int: "whole number", float: "number"}.get(kind, kind.__name__)
    raise ValueError(f"{text!r} is no {what}") from None


def literals(pairs: tuple[str, ...], what: str) -> dict[str, Any]:
  """Parses name=value pairs; a value is a Python literal, true or false, or else a string."""
  settings: dict[str, Any] = {}
  for name, value in texts(pairs, what).items():
    try:
      settings[name] = TRUTH[value] if value in TRUTH else ast.literal_eval(value)
    except (ValueError, SyntaxError):
      settings[name] = value
  return settings


def texts(pairs: tuple[str, ...], what: str) -> dict[str, str]:
  """Parses name=value pairs; a value is left as it is."""
  settings: dict[str, str] = {}
  for pair in pairs:
    name, equals, value = pair.partition("=")
    if not equals or not name.isidentifier():
      raise UserError(f"{what} {pair!r}: write name=value.")
    if name in settings:
      raise UserError(f"{what}: the setting {name} is given twice; give it once.")
    settings[name] = value
  return settings


def converted(kinds: Mapping[str, Any], setting: str, text: str) -> Any:
  """A setting's value by its type; a ValueError names the setting."""
  try:
    return convert(kinds[setting], text)
  except ValueError as error:
    raise ValueError(f"{setting}: {error}") from None


def parse(registry: Registry, text: str, what: str) -> Choice:
  """The choice that a word names; a wrong name, setting or value is a UserError."""
  name, pairs = split(text, what)
  try:
    kind = registry.settings(name)
    hints = {} if kind is None else typing.get_type_hints(kind)
    settings = {}
    for setting, value in texts(pairs, what).items():
      settings[setting] = value if setting not in hints else converted(hints, setting, value)
    return registry.choice(name, **settings)
  except ValueError as error:
    raise UserError(f"{what} {text!r}: {error}" if pairs else str(error)) from error


def parse_several(registry: Registry, texts: tuple[str, ...], what: str) -> tuple[Choice, ...]:
  """The choices that words name, each once; else a UserError."""
  chosen = tuple(parse(registry, text, what) for text in texts)
  names = [choice.name for choice in chosen]
  if twice := [name for name in names if names.count(name) > 1]:
    raise UserError(f"{what}: {twice[0]} is given twice; give it once.")
  return chosen


def word(choice: Choice) -> str:
  """The word of a choice: its name, and the settings that are not the method's defaults."""
  if choice.settings is None:
    return choice.name
  usual = type(choice.settings)()
  pairs = [
    f"{name}={value}"
    for name, value in vars(choice.settings).items()
    if value != getattr(usual, name)
  ]
  return choice.name + ("?" + "&".join(pairs) if pairs else "")
