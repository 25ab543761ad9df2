"""A method and its settings in one word: `rnd?size=256&share=0.5`."""

from __future__ import annotations

import ast
from typing import Any

from envs.registry import Choice, Registry
from experiments.settings.errors import UserError


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


def literals(pairs: tuple[str, ...], what: str) -> dict[str, Any]:
  """Parses name=value pairs; a value is a Python literal, or else a string."""
  settings: dict[str, Any] = {}
  for pair in pairs:
    name, equals, value = pair.partition("=")
    if not equals or not name.isidentifier():
      raise UserError(f"{what} {pair!r}: write name=value.")
    if name in settings:
      raise UserError(f"{what}: the setting {name} is given twice; give it once.")
    try:
      settings[name] = ast.literal_eval(value)
    except (ValueError, SyntaxError):
      settings[name] = value
  return settings


def parse(registry: Registry, text: str, what: str) -> Choice:
  """The choice that a word names; a wrong name, setting or value is a UserError."""
  name, pairs = split(text, what)
  try:
    return registry.choice(name, **literals(pairs, what))
  except ValueError as error:
    raise UserError(str(error)) from error


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
