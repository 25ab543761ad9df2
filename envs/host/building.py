"""What the builder of a gymnasium environment takes and offers: a seed, pictures."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from envs.errors import close_quietly
from envs.registry import check_call

PICTURES = {"render_mode": "rgb_array"}
"""With these settings an environment's `render()` returns pictures, where it offers them."""


def first_built(
  creator: Any, build: Callable[..., Any], given: Mapping[str, Any]
) -> tuple[Any, Callable[[int], Any]]:
  """Builds the first of many that differ in nothing but the seed.

  A setting `seed` that the creator has is drawn for each, unless one is given that is not None.
  One `render_mode` is asked for pictures, where it offers them, unless it is given.

  Args:
    creator: the class, or the function, behind the environment; its signature is read.
    build: builds one with further settings.
    given: the settings that `build` gives by itself.

  Returns:
    The first, and what builds another with a seed.

  Raises:
    SettingsError: for a setting that the creator does not have, or not one that it needs. What
      building raises is left as it is.
  """
  seed = None if given.get("seed") is not None else _parameters(creator).get("seed")
  needed = {"seed": 0} if seed is not None and seed.default is seed.empty else {}
  check_call(creator, {**given, **needed})
  build_first = functools.partial(build, **needed)
  if "render_mode" in given:
    first, drawn = build_first(), dict[str, str]()
  else:
    first, drawn = _build_drawn(creator, build_first)
  return first, lambda number: build(**drawn, **({} if seed is None else {"seed": number}))


def _build_drawn(builder: Any, build: Callable[..., Any]) -> tuple[Any, dict[str, str]]:
  """Builds an environment, one that draws pictures where it offers to.

  It does where its metadata list "rgb_array", those of its class or of what was built, and its
  builder takes a `render_mode`. Nothing else is asked for one, for many constructors assert that
  they were asked for what they offer.

  Args:
    builder: the class, or the function, behind the environment.
    build: builds it with further settings.

  Returns:
    The environment, and the settings that `build` is to be given for others like it: `PICTURES` or
    none.
  """
  parameters = _parameters(builder)
  passes_on = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
  if "render_mode" not in parameters and not passes_on:
    return build(), {}
  env = None
  if not _offers_pictures(builder):
    env = build()
    if not _offers_pictures(env):
      return env, {}
    close_quietly(env)
  try:
    return build(**PICTURES), dict(PICTURES)
  except TypeError as error:
    if "unexpected keyword argument 'render_mode'" not in str(error):
      raise
    return build(), {}  # it passes its settings on to what does not take this one


def _parameters(builder: Any) -> Mapping[str, inspect.Parameter]:
  try:
    return inspect.signature(builder).parameters
  except (TypeError, ValueError):  # a builtin
    return {}


def _offers_pictures(of: Any) -> bool:
  metadata = getattr(of, "metadata", None)
  modes = metadata.get("render_modes") if isinstance(metadata, Mapping) else None
  return modes is not None and PICTURES["render_mode"] in modes
