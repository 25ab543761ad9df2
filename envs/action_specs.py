"""The three kinds of action, which an environment tells by its `action_spec()`.

discrete    a DiscreteArray: one integer from 0 to num_values - 1
factored    a BoundedArray of integers [*A], at least one axis, minimum 0: several integers at once,
            each from 0 to its own maximum
continuous  a BoundedArray or an Array of floats [*A], each maximum above its minimum; bounds may be
            infinite, on one side too, and an Array has none
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from dm_env import specs

Kind = Literal["discrete", "factored", "continuous"]

MOST_VALUES = 2**20
"""Choices of more values than this fit no network, which has a logit, or an input, for each."""
EXPECTED = (
  "a DiscreteArray, a BoundedArray of integers from 0 (several at once), or an array of floats,"
  " each maximum above its minimum"
)


def kind(spec: specs.Array) -> Kind:
  """The kind of the actions of `spec`.

  Raises:
    ValueError: one line, if they are of none.
  """
  if isinstance(spec, specs.DiscreteArray):
    return "discrete"
  if not isinstance(spec, specs.Array) or 0 in spec.shape:
    raise ValueError(f"actions {one_line(spec)}: expected {EXPECTED}, of at least one entry.")
  low, high = bounds(spec)
  if np.issubdtype(spec.dtype, np.floating) and (low < high).all():
    return "continuous"
  several = np.issubdtype(spec.dtype, np.integer) and len(spec.shape) > 0
  if several and (low == 0).all() and ((high >= 0) & np.isfinite(high)).all():
    return "factored"
  raise ValueError(f"actions {one_line(spec)}: expected {EXPECTED}.")


def conforms(spec: specs.Array) -> bool:
  """Whether the actions are of one of the kinds, in int32 or float32, as the contract has them."""
  try:
    wanted = np.float32 if kind(spec) == "continuous" else np.int32
  except ValueError:
    return False
  return spec.dtype == wanted or isinstance(spec, specs.DiscreteArray)


def bounds(spec: specs.Array) -> tuple[np.ndarray, np.ndarray]:
  """The least and the greatest action of `spec`, [*A] each, infinite where there is none.

  Bounds of floats are float32; where more lies between them than float32 can tell, as between the
  least and the greatest of its numbers, there are none.
  """
  low, high = (
    np.broadcast_to(getattr(spec, name, none), spec.shape)
    for name, none in (("minimum", -np.inf), ("maximum", np.inf))
  )
  if not np.issubdtype(spec.dtype, np.floating):
    return low, high
  with np.errstate(over="ignore", invalid="ignore"):
    low, high = low.astype(np.float32), high.astype(np.float32)
    endless = np.isfinite(low) & np.isfinite(high) & ~np.isfinite(high - low)
  return np.where(endless, -np.float32(np.inf), low), np.where(endless, np.float32(np.inf), high)


def counts(spec: specs.Array) -> np.ndarray:
  """How many values each entry of factored actions has, int64 [*A]."""
  return bounds(spec)[1].astype(np.int64) + 1


class ActionReader:
  """Reads actions of one spec; what depends on the spec alone is computed once.

  Attributes:
    kind: of the actions.
  """

  def __init__(self, spec: specs.Array):
    """Reads those of `spec`.

    Raises:
      ValueError: one line, if they are of none of the kinds.
    """
    self.kind = kind(spec)
    self._shape, self._dtype = spec.shape, spec.dtype
    self._low, self._high = bounds(spec)
    self._bounded = bool((np.isfinite(self._low) & np.isfinite(self._high)).all())
    self._most = int(self._high) if self.kind == "discrete" else None

  def __call__(self, action: Any, batch: tuple[int, ...] = ()) -> np.ndarray:
    """Returns `action` as an array of the spec's dtype, [*batch, *A], a copy.

    Args:
      action: integers [*batch], or integers or floats [*batch, *A].
      batch: leading axes, for several actions at once.

    Raises:
      ValueError: one line, if its shape, dtype or range is wrong.
    """
    array = np.asarray(action)
    if array.shape != (*batch, *self._shape):
      raise ValueError(f"action has shape {array.shape}; expected {(*batch, *self._shape)}.")
    continuous = self.kind == "continuous"
    if array.dtype.kind not in ("f" if continuous else "iu"):
      wanted = "a float" if continuous else "an integer"
      raise ValueError(f"action has dtype {array.dtype}; expected {wanted} ({self._dtype}).")
    # A float64 is rounded as the bounds were, so that a bound itself is within them.
    rounded = array.astype(self._dtype) if continuous else array
    if not self._within(rounded):
      found, least, most = (one_line(x) for x in (array, self._low, self._high))
      raise ValueError(f"action {found} is out of range; expected {least} to {most}.")
    return rounded if continuous else array.astype(self._dtype)

  def _within(self, array: np.ndarray) -> bool:
    if self._most is not None and not array.ndim:
      return 0 <= int(array) <= self._most
    within = (array >= self._low) & (array <= self._high)
    if not self._bounded:  # NaN is within no bounds, but infinity is within infinite ones
      within &= np.isfinite(array)
    return bool(within.all())


def one_line(value: object) -> str:
  """`value` as text without line breaks, which arrays of several axes have."""
  return " ".join(str(value).split())
