"""The one form in which observations on the host reach an agent: one array.

picture      uint8 [H, W, C]; channels that come first, grey pictures [H, W] and stacks of pictures
             [S, H, W, C] are brought into it, the stack as channels [H, W, S * C], and so are
             integers from 0 to 255 at most that look like pictures; floats that do are refused
other uint8  as it is, unless its bounds hold few values: then categories
integers     of at most 256 values: categories, int32 from 0 up; others as float32
floats       float32
nest         a dict or a nest of numbers becomes one float32 vector, in the order in which it is
             declared, arrays row by row; pictures in it are refused
text         is refused, unless it can never differ: then it is left out
masks        of actions are refused, unless they are to be ignored: then they are left out
nothing      float32 [1], always 0
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from dm_env import specs

from envs import nests
from envs.adapters.spaces import (
  MASK_REFUSED,
  MASKS,
  ConstantText,
  Masks,
  OneHot,
  check_categories,
  ignored,
)
from envs.channels import channels_first, looks_like_pictures
from envs.given import cast, check_observation

CATEGORIES = 256
"""Integer arrays with more values than this are numbers, not categories."""
SYMBOLS = 32
"""Integers whose bounds hold at most this many values are categories, not pixels."""
GREY_SIDE = 32
"""Bytes [H, W] of at least so many rows and columns are grey pictures."""
WIDEST = 255
"""Arrays that look like pictures are, if no more lies between their bounds."""
NAMED = 8
"""Parts of a nest that its note names."""
NO_PICTURE = "if it is no picture, flatten it (gymnasium.wrappers.FlattenObservation)."


class Observed:
  """Brings the observations of one environment into canonical form.

  Attributes:
    spec: of the canonical form.
    notes: what differs from what the environment shows and should be known, a line each.
  """

  def __init__(self, spec: Any, masks: Masks = None):
    """Reads those of a spec, or of a nest of specs; masks of actions in it only if "ignored".

    Raises:
      ValueError: one line, for what no agent can read yet: text, pictures in a nest or of floats,
        masks.
    """
    self._raw = spec
    self._masks_ignored = ignored(masks)
    self.notes: tuple[str, ...] = ()
    self._arrange: Callable[[np.ndarray], np.ndarray] | None = None
    self._first = 0
    leaves = nests.leaves(spec, "observation")
    seen = {where: leaf for where, leaf in leaves if self._is_seen(where, leaf)}
    size = sum(int(np.prod(leaf.shape)) for leaf in seen.values())
    if not size:
      self.spec = specs.BoundedArray((1,), np.float32, 0, 0, "observation")
      self._note("there is nothing to observe: the agent sees one number that is always 0")
    elif nests.is_nest(spec):
      self.spec = specs.Array((size,), np.float32, "observation")
      self._note(f"the agent sees a vector of {size} numbers: {_listed(seen)}")
    elif _are_bytes(spec):
      self.spec = self._picture(spec)
    else:
      self._look_at_numbers(spec)
      self.spec = _numbers(spec)
      if self.spec.dtype == np.int32 and isinstance(spec, specs.BoundedArray):
        self._first = int(np.min(spec.minimum))
    kept = isinstance(spec, specs.Array) and (spec.shape, spec.dtype)
    same = kept == (self.spec.shape, self.spec.dtype) and self._arrange is None
    # Arrays of this shape and dtype need no look, which is nearly all; categories are counted.
    self._as_is = kept if same and self.spec.dtype != np.int32 else None

  def __call__(self, observation: Any) -> np.ndarray:
    """Returns it in canonical form.

    Raises:
      ValueError: one line, for another structure, shape or dtype than was declared, or integers
        out of the bounds.
    """
    if type(observation) is np.ndarray and self._as_is == (observation.shape, observation.dtype):
      return observation
    shown = nests.combine(self._raw, observation, self._checked, "observation")
    if nests.is_nest(self._raw) or not isinstance(shown, np.ndarray):
      parts = [x.reshape(-1) for _, x in nests.leaves(shown, "") if x is not None]
      shown = np.concatenate([np.zeros(0, np.float32), *parts])
    return self.convert(shown)

  def convert(self, shown: np.ndarray) -> np.ndarray:
    """Returns arrays [..., *raw shape], or the vectors of nests, in canonical form [..., *shape].

    Raises:
      ValueError: one line, for integers out of the bounds.
    """
    if not shown.size:
      lead = shown.shape[: shown.ndim - len(getattr(self._raw, "shape", (0,)))]
      return np.zeros((*lead, 1), np.float32)
    if self.spec.dtype == np.float32:
      return cast(shown, np.float32)
    if shown.dtype != self.spec.dtype or self.spec.dtype == np.int32:
      counted, most = np.asarray(shown, np.int64) - self._first, self.spec.maximum
      if counted.min() < 0 or counted.max() > most:
        raise ValueError(
          f"observation goes from {shown.min()} to {shown.max()}; declared is {self._first} to"
          f" {self._first + most}: make the two agree."
        )
      shown = counted.astype(self.spec.dtype)
    return shown if self._arrange is None else self._arrange(shown)

  def _note(self, line: str) -> None:
    self.notes += (line,)

  def _is_seen(self, where: str, leaf: Any) -> bool:
    """Whether a part of what is declared is seen; refuses what cannot be."""
    if _is_mask(where):
      if not self._masks_ignored:
        raise ValueError(f"{where}: {MASK_REFUSED}")
      return False
    if isinstance(leaf, ConstantText):
      self._note(f"{where} is left out: it is always {leaf.text!r}")
      return False
    if not isinstance(leaf, specs.Array):
      raise ValueError(f"{where} is declared by a {type(leaf).__name__}; expected a spec.")
    if leaf.dtype.kind not in "biuf":
      raise ValueError(
        f"{where} is text, which no agent here can read yet. Have the environment leave it out, or"
        " give it as numbers (a Discrete or Box space)."
      )
    bytes_ = leaf.dtype == np.uint8 and len(leaf.shape) > 1
    if nests.is_nest(self._raw) and (bytes_ or looks_like_pictures(leaf.shape)):
      raise ValueError(
        f"{where} is a picture ({leaf.dtype} {leaf.shape}) among other things, which no agent here"
        " can read together yet. Have the environment show the picture alone, or only the numbers;"
        f" {NO_PICTURE}"
      )
    return True

  def _look_at_numbers(self, spec: specs.Array) -> None:
    """Refuses or notes what is read as numbers and looks like a picture; of few values, neither."""
    if not looks_like_pictures(spec.shape) or spec.dtype == np.bool_:
      return
    kind = f"{spec.dtype} {spec.shape}"
    if not isinstance(spec, specs.BoundedArray) or _width(spec) > WIDEST:
      self._note(f"observation, {kind}, is read as numbers, not as a picture")
    elif spec.dtype.kind == "f" or not _few(spec, SYMBOLS):
      raise ValueError(
        f"observation looks like a picture in {kind}; pictures are read as uint8 from 0 to 255."
        f" Make it so (gymnasium.wrappers.TransformObservation); {NO_PICTURE}"
      )

  def _checked(self, leaf: Any, shown: Any, where: str) -> np.ndarray | None:
    """A part as an array; none of what is left out."""
    if _is_mask(where):
      return None
    if not isinstance(leaf, ConstantText):
      return check_observation(leaf, shown, where)
    if shown != leaf.text:
      raise ValueError(f"{where} is {shown!r}; {leaf.text!r} is declared, and no other text.")
    return None

  def _picture(self, spec: specs.Array) -> specs.Array:
    """The spec of what pixels become, and how."""
    if len(spec.shape) == 2 and min(spec.shape) >= GREY_SIDE:
      self._arrange = lambda x: x[..., None]
      return _pixels((*spec.shape, 1))
    if len(spec.shape) < 3:
      return spec
    stacked, first = len(spec.shape) == 4, channels_first(spec.shape)
    if first is None:
      raise ValueError(
        f"observation is {spec.dtype} {spec.shape}: which axis has the channels of these pictures?"
        f" Have the environment give it last, [H, W, C], or [S, H, W, C] in a stack; {NO_PICTURE}"
      )
    if not stacked and not first:
      return _pixels(spec.shape)

    def arrange(x: np.ndarray) -> np.ndarray:
      if first:
        x = np.moveaxis(x, -3, -1)
      if stacked:  # [..., S, H, W, C] to [..., H, W, S * C]
        x = np.moveaxis(x, -4, -2)
        x = x.reshape(*x.shape[:-2], -1)
      return np.ascontiguousarray(x)

    self._arrange = arrange
    axes = ("S, " if stacked else "") + ("C, H, W" if first else "H, W, C")
    found = _pixels(arrange(np.empty(spec.shape, np.uint8)).shape)
    self._note(f"pictures [{axes}] = {spec.shape} reach the agent as [H, W, C] = {found.shape}")
    return found


def _is_mask(where: str) -> bool:
  return any(f"[{name!r}]" in where for name in MASKS)


def _listed(parts: dict[str, specs.Array]) -> str:
  """The parts of a nest in order, the first `NAMED` by name and shape."""
  lines = [
    f"{where.removeprefix('observation')[1:-1].replace('][', '.').replace(chr(39), '')}"
    f" {list(spec.shape)}{' one-hot' if isinstance(spec, OneHot) else ''}"
    for where, spec in itertools.islice(parts.items(), NAMED)
  ]
  return ", ".join(lines) + (f", and {len(parts) - NAMED} more" if len(parts) > NAMED else "")


def _are_bytes(spec: specs.Array) -> bool:
  """Whether an array is read as bytes: such, and integers from 0 to 255 that look like pixels."""
  if not np.issubdtype(spec.dtype, np.integer) or _few(spec, SYMBOLS):
    return False
  if spec.dtype == np.uint8:
    return True
  if not isinstance(spec, specs.BoundedArray) or np.min(spec.minimum) < 0:
    return False
  grey = len(spec.shape) == 2 and min(spec.shape) >= GREY_SIDE
  return bool(np.max(spec.maximum) <= WIDEST) and (grey or looks_like_pictures(spec.shape))


def _width(spec: specs.BoundedArray) -> float:
  return float(np.max(spec.maximum)) - float(np.min(spec.minimum))


def _pixels(shape: tuple[int, ...]) -> specs.Array:
  return specs.BoundedArray(shape, np.uint8, 0, 255, "observation")


def _few(spec: specs.Array, most: int) -> bool:
  """Whether the bounds of integers hold at most so many values."""
  if not isinstance(spec, specs.BoundedArray):
    return False
  return int(np.max(spec.maximum)) - int(np.min(spec.minimum)) < most


def _numbers(spec: specs.Array) -> specs.Array:
  """The canonical form of one array that is no picture."""
  if isinstance(spec, specs.DiscreteArray):
    check_categories(spec.num_values, "observation")
    return specs.DiscreteArray(spec.num_values, np.int32, spec.name)
  if spec.dtype == np.bool_:
    return specs.BoundedArray(spec.shape, np.int32, 0, 1, spec.name)
  if not isinstance(spec, specs.BoundedArray):
    return specs.Array(spec.shape, np.float32, spec.name)
  if np.issubdtype(spec.dtype, np.integer) and _few(spec, CATEGORIES):
    count = int(np.max(spec.maximum)) - int(np.min(spec.minimum))
    return specs.BoundedArray(spec.shape, np.int32, 0, count, spec.name)
  return specs.BoundedArray(spec.shape, np.float32, spec.minimum, spec.maximum, spec.name)
