"""What gymnasium's spaces of observations declare, as specs.

  Box            BoundedArray of its shape, dtype and bounds
  Discrete       DiscreteArray from 0, wherever the space starts
  MultiDiscrete  BoundedArray of int32 from 0, MultiBinary of int8
  Dict, Tuple    a dict or tuple of these, in their order; Discrete and MultiDiscrete in it OneHot
  Text           StringArray, or what `envs.adapters.text` knows of it

Others (Sequence, Graph, OneOf) have no spec.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from dm_env import specs
from gymnasium import spaces

from envs import nests
from envs.action_specs import MOST_VALUES, one_line
from envs.adapters.text import text_spec
from envs.given import check_observation

Masks = Literal["ignored"] | None
"""What becomes of masks of actions: obeyed, or left out, so that masked actions are taken too."""
MASKS = ("action_mask", "action_masks")
"""What masks are called, as entries of an observation or an info."""


def is_mask(where: str) -> bool:
  """Whether a part of an observation is a mask of actions, by how it is called."""
  return any(f"[{name!r}]" in where for name in MASKS)


def ignored(masks: Masks) -> bool:
  """Whether masks are left out; raises ValueError for what says neither."""
  if masks not in (None, "ignored"):
    raise ValueError(f"masks is {masks!r}; expected 'ignored', or nothing.")
  return masks is not None


class OneHot(specs.BoundedArray):
  """The spec of choices, each as so many numbers of which one is 1 and the others 0."""


@dataclasses.dataclass(frozen=True)
class Part:
  """One array, number or text of an observation.

  Attributes:
    spec: of what `read` returns.
    read: takes what the environment returned and how to call it, and returns it in that form.
  """

  spec: specs.Array
  read: Callable[[Any, str], Any]


class ObservationReader:
  """Reads the observations of a gymnasium space in the form of a nest of specs.

  Attributes:
    spec: an Array, or a dict or tuple of such.
  """

  def __init__(self, space: spaces.Space, name: str = "observation"):
    """Reads those of `space`.

    Raises:
      ValueError: one line with the part of the space that has no spec.
    """
    self._name = name
    self._parts = _parts(space, name, nested=False)
    self.spec = _specs(self._parts)

  def __call__(self, observation: Any) -> Any:
    """Returns a copy, for some environments overwrite the array that they returned.

    Raises:
      ValueError: one line, for another structure, shape or dtype than the space declares.
    """
    if isinstance(self._parts, Part):
      return self._parts.read(observation, self._name)
    return nests.combine(
      self._parts, observation, lambda part, value, where: part.read(value, where), self._name
    )


def check_categories(count: float, where: str) -> None:
  """Refuses, in one line, choices of so many values that networks cannot read them one-hot."""
  if count > MOST_VALUES:
    raise ValueError(
      f"{where} is a choice of {count:,.0f} values, each of which would be an input of its own;"
      f" expected at most {MOST_VALUES:,} (as a Box of floats it needs no end)."
    )


def _parts(space: spaces.Space, where: str, nested: bool) -> Any:
  if isinstance(space, spaces.Dict):
    return {key: _parts(s, f"{where}[{key!r}]", True) for key, s in space.spaces.items()}
  if isinstance(space, spaces.Tuple):
    return tuple(_parts(s, f"{where}[{i}]", True) for i, s in enumerate(space.spaces))
  if isinstance(space, spaces.Text) or (space.dtype is not None and space.dtype.kind == "U"):
    return Part(text_spec(space, where), lambda value, where: value)
  if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
    return _categories(space, where, nested and not is_mask(where))
  if isinstance(space, spaces.Box):
    return _array(specs.BoundedArray(space.shape, space.dtype, space.low, space.high, where))
  if isinstance(space, spaces.MultiBinary):
    return _array(specs.BoundedArray(space.shape, space.dtype, 0, 1, where))
  raise ValueError(
    f"{where} is a {type(space).__name__} space, which no agent here can read; expected Box,"
    " Discrete, MultiDiscrete or MultiBinary, or a Dict or Tuple of them."
  )


def _array(spec: specs.Array) -> Part:
  return Part(spec, lambda value, where: np.array(check_observation(spec, value, where)))


def _categories(space: spaces.Discrete | spaces.MultiDiscrete, where: str, one_hot: bool) -> Part:
  sizes = np.asarray(space.n if isinstance(space, spaces.Discrete) else space.nvec)
  if one_hot:
    check_categories(sizes.sum(dtype=float), where)
  raw = specs.BoundedArray(space.shape, np.int64, space.start, space.start + sizes - 1, where)

  def read(value: Any, where: str) -> np.ndarray:
    chosen = check_observation(raw, value, where) - space.start
    if (chosen < 0).any() or (chosen >= sizes).any():
      found, least, most = (one_line(x) for x in (value, raw.minimum, raw.maximum))
      raise ValueError(f"{where} is {found}; expected {least} to {most}, as the space declares.")
    if not one_hot:
      return np.asarray(chosen, np.int32)
    return np.concatenate(
      [np.arange(n) == x for x, n in zip(chosen.flat, sizes.flat, strict=True)],
      dtype=np.int8,
      casting="unsafe",
    )

  if one_hot:
    return Part(OneHot((int(sizes.sum()),), np.int8, 0, 1, where), read)
  if isinstance(space, spaces.Discrete):
    return Part(specs.DiscreteArray(int(space.n), np.int32, where), read)
  return Part(specs.BoundedArray(space.shape, np.int32, 0, sizes - 1, where), read)


def _specs(parts: Any) -> Any:
  if isinstance(parts, dict):
    return {key: _specs(part) for key, part in parts.items()}
  return parts.spec if isinstance(parts, Part) else tuple(_specs(part) for part in parts)
