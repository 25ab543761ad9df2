"""What a gymnasium environment's attributes and methods give, checked: spaces, tuples, flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np


def space_of(env: gymnasium.Env, which: str) -> gymnasium.Space[Any]:
  """Returns the space `which`, "observation_space" or "action_space", of an environment.

  Raises:
    ValueError: one line, if there is none, or something else in its place.
  """
  name = type(env.unwrapped).__name__
  try:
    space = getattr(env, which)
  except AttributeError as error:
    if error.name != which:  # of code of its own, which a property may run
      raise
    raise ValueError(
      f"{name} has no {which}: set it in __init__ to a gymnasium.spaces.Space."
    ) from None
  if not isinstance(space, gymnasium.Space):
    kind = f"{type(space).__module__}.{type(space).__qualname__}".removeprefix("builtins.")
    found = "None" if space is None else f"a {kind}"
    raise ValueError(f"{name}.{which} is {found}; set it in __init__ to a gymnasium.spaces.Space.")
  return space


def as_expected(env: str, method: str, found: Any, *expected: str) -> Any:
  """Returns what a method returned, if it is a tuple as long as expected that ends in an info.

  Args:
    env: name of the environment's class.
    method: its name.
    found: what it returned.
    expected: names of the parts, the info last.

  Raises:
    ValueError: one line, if it is anything else.
  """
  fits = isinstance(found, tuple) and len(found) == len(expected)
  if fits and (type(found[-1]) is dict or isinstance(found[-1], Mapping)):  # the second is slow
    return found
  if fits:
    raise ValueError(
      f"{env}.{method}() returned info of type {type(found[-1]).__name__}; expected a dict."
    )
  what = f"({', '.join(expected)})"
  if found is None:
    raise ValueError(f"{env}.{method}() returned None; expected {what}.")
  kind = f"{len(found)} values" if isinstance(found, tuple) else f"a {type(found).__name__}"
  old = len(found) == 4 if isinstance(found, tuple) else method == "reset"
  raise ValueError(
    f"{env}.{method}() returned {kind}{', as the old gym interface may' if old else ''}; expected"
    f" {what}, the info a dict."
  )


def flag(name: str, value: Any) -> bool:
  """Returns `terminated` or `truncated` as a bool: one bool, 0 or 1, in whatever array.

  Raises:
    ValueError: one line, if it is anything else.
  """
  if type(value) is bool:  # nearly always
    return value
  try:
    array = np.asarray(value)
  except ValueError:  # lists of several lengths
    array = np.asarray(None)
  if array.size == 1 and (
    array.dtype.kind == "b" or (array.dtype.kind in "iu" and array.item() in (0, 1))
  ):
    return bool(array.item())
  shown = " ".join(repr(value).split())
  raise ValueError(f"{name} is {shown[:80]} ({type(value).__name__}); expected True or False.")
