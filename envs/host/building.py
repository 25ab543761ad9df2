"""What the builder of a gymnasium environment takes and offers: a seed, pictures."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

PICTURES = {"render_mode": "rgb_array"}
"""With these settings an environment's `render()` returns pictures, where it offers them."""


def setting(builder: Any, name: str) -> inspect.Parameter | None:
  """A builder's own setting of this name, if it has one."""
  return _parameters(builder).get(name)


def build_drawn(builder: Any, build: Callable[..., Any]) -> tuple[Any, dict[str, str]]:
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
    env.close()
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
