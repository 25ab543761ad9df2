"""The three kinds of action, which an environment tells by its `action_spec()`.

discrete    a DiscreteArray: one integer from 0 to num_values - 1
factored    a BoundedArray of integers [*A], at least one axis, minimum 0: several integers at once,
            each from 0 to its own maximum
continuous  a BoundedArray or an Array of floats [*A], each maximum above its minimum; bounds may be
            infinite, on one side too, and an Array has none
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from dm_env import specs

Kind = Literal["discrete", "factored", "continuous"]

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


def one_line(value: object) -> str:
  """`value` as text without line breaks, which arrays of several axes have."""
  return " ".join(str(value).split())
