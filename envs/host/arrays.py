"""The canonical form of one array that an environment on the host shows; see
`envs.host.observations`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from dm_env import specs

from envs.adapters.spaces import check_categories
from envs.channels import channels_first, looks_like_pictures
from envs.given import cast, check_observation
from envs.observation import Cells

CATEGORIES = 256
"""Integer arrays with more values than this are numbers, not categories."""
SYMBOLS = 32
"""Integers whose bounds hold at most this many values are categories, not pixels."""
GREY_SIDE = 32
"""Bytes [H, W] of at least so many rows and columns are grey pictures."""
WIDEST = 255
"""Arrays that look like pictures are, if no more lies between their bounds."""
NO_PICTURE = "if it is no picture, flatten it (gymnasium.wrappers.FlattenObservation)."


class ArrayReader:
  """Brings one array into canonical form.

  Attributes:
    spec: of the canonical form.
    notes: what differs from what the environment shows and should be known, a line each.
  """

  def __init__(self, spec: specs.Array, where: str = "observation", cells: int | None = None):
    """Reads those of a spec.

    Args:
      spec: of what the environment shows.
      where: how it is called in messages.
      cells: side of a cell, where it is a picture or a grid of such; a spec of Cells says it too.

    Raises:
      ValueError: one line, for a picture of floats, or one whose channels cannot be told.
    """
    self.notes: tuple[str, ...] = ()
    self._raw, self._where = spec, where
    self._arrange: Callable[[np.ndarray], np.ndarray] | None = None
    self._first = 0
    if are_bytes(spec):
      self.spec = self._picture(spec)
    else:
      self._look_at_numbers(spec)
      self.spec = _numbers(spec)
      if self.spec.dtype == np.int32 and isinstance(spec, specs.BoundedArray):
        self._first = int(np.min(spec.minimum))
    cells = spec.side if isinstance(spec, Cells) else cells
    if cells is not None and len(self.spec.shape) == 3 and self.spec.dtype.kind != "f":
      self.spec = _of_cells(self.spec, cells, where)
    kept = spec.shape, spec.dtype
    same = kept == (self.spec.shape, self.spec.dtype) and self._arrange is None
    # Arrays of this shape and dtype need no look, which is nearly all; categories are counted.
    self._as_is = kept if same and self.spec.dtype != np.int32 else None

  def __call__(self, shown: Any) -> np.ndarray:
    """Returns it in canonical form.

    Raises:
      ValueError: one line, for another shape or dtype than was declared, or integers out of the
        bounds.
    """
    if type(shown) is np.ndarray and self._as_is == (shown.shape, shown.dtype):
      return shown
    return self.convert(check_observation(self._raw, shown, self._where))

  def convert(self, shown: np.ndarray) -> np.ndarray:
    """Returns arrays [..., *raw shape] in canonical form [..., *shape].

    Raises:
      ValueError: one line, for integers out of the bounds.
    """
    if self.spec.dtype == np.float32:
      return cast(shown, np.float32)
    if shown.dtype != self.spec.dtype or self.spec.dtype == np.int32:
      counted, most = np.asarray(shown, np.int64) - self._first, self.spec.maximum
      if counted.min() < 0 or counted.max() > most:
        raise ValueError(
          f"{self._where} goes from {shown.min()} to {shown.max()}; declared is {self._first} to"
          f" {self._first + most}: make the two agree."
        )
      shown = counted.astype(self.spec.dtype)
    return shown if self._arrange is None else self._arrange(shown)

  def _note(self, line: str) -> None:
    self.notes += (line,)

  def _look_at_numbers(self, spec: specs.Array) -> None:
    """Refuses or notes what is read as numbers and looks like a picture; of few values, neither."""
    if not looks_like_pictures(spec.shape) or spec.dtype == np.bool_:
      return
    kind = f"{spec.dtype} {spec.shape}"
    if not isinstance(spec, specs.BoundedArray) or _width(spec) > WIDEST:
      self._note(f"{self._where}, {kind}, is read as numbers, not as a picture")
    elif spec.dtype.kind == "f" or not _few(spec, SYMBOLS):
      raise ValueError(
        f"{self._where} looks like a picture in {kind}; pictures are read as uint8 from 0 to 255."
        f" Make it so (gymnasium.wrappers.TransformObservation); {NO_PICTURE}"
      )

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
        f"{self._where} is {spec.dtype} {spec.shape}: which axis has the channels of these"
        f" pictures? Have the environment give it last, [H, W, C], or [S, H, W, C] in a stack;"
        f" {NO_PICTURE}"
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
    of = "" if self._where == "observation" else f" of {self._where}"
    self._note(f"pictures{of} [{axes}] = {spec.shape} reach the agent as [H, W, C] = {found.shape}")
    return found


def are_bytes(spec: specs.Array) -> bool:
  """Whether an array is read as bytes: such, and integers from 0 to 255 that look like pixels."""
  if not np.issubdtype(spec.dtype, np.integer) or _few(spec, SYMBOLS):
    return False
  if spec.dtype == np.uint8:
    return True
  if not isinstance(spec, specs.BoundedArray) or np.min(spec.minimum) < 0:
    return False
  grey = len(spec.shape) == 2 and min(spec.shape) >= GREY_SIDE
  return bool(np.max(spec.maximum) <= WIDEST) and (grey or looks_like_pictures(spec.shape))


def is_grid(spec: specs.Array, cells: int | None = None) -> bool:
  """Whether an array of a nest is read by itself: bytes in rows, what looks like a picture, and, of
  an environment that shows `cells`, grids of integers."""
  bytes_ = spec.dtype == np.uint8 and len(spec.shape) > 1
  of_cells = cells is not None and len(spec.shape) == 3 and np.issubdtype(spec.dtype, np.integer)
  return bytes_ or of_cells or isinstance(spec, Cells) or looks_like_pictures(spec.shape)


def _of_cells(spec: specs.Array, side: int, where: str) -> Cells:
  if spec.shape[0] % side or spec.shape[1] % side:
    raise ValueError(f"{where} is {spec.shape}, which no cells of {side} by {side} fill.")
  low, high = getattr(spec, "minimum", 0), getattr(spec, "maximum", 255)
  return Cells(spec.shape, spec.dtype, low, high, side, spec.name)


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
