"""The one form in which observations on the host reach an agent: one array.

picture      uint8 [H, W, C]; channels that come first, grey pictures [H, W] and stacks of pictures
             [S, H, W, C] are brought into it, the stack as channels [H, W, S * C]
other uint8  as it is, unless its bounds hold few values: then categories
integers     of at most 256 values: categories, int32 from 0 up; others as float32
floats       float32
nest         a dict or a nest of numbers becomes one float32 vector, in the order in which it is
             declared, arrays row by row; pictures in it are refused
text         is refused, unless it can never differ: then it is left out
nothing      float32 [1], always 0
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from dm_env import specs

from envs import nests
from envs.adapters.spaces import MASK, MASK_REFUSED, ConstantText
from envs.channels import channels_first
from envs.environment import check_observation

CATEGORIES = 256
"""Integer arrays with more values than this are numbers, not categories."""
SYMBOLS = 32
"""uint8 arrays whose bounds hold at most this many values are categories, not pixels."""
GREY_SIDE = 32
"""uint8 arrays [H, W] of at least so many rows and columns are grey pictures."""


class Observed:
  """Brings the observations of one environment into canonical form.

  Attributes:
    spec: of the canonical form.
    notes: what differs from what the environment shows and should be known, a line each.
  """

  def __init__(self, spec: Any):
    """Reads those of a spec, or of a nest of specs.

    Raises:
      ValueError: one line, for what no agent can read yet: text, pictures in a nest, masks.
    """
    self._raw = spec
    self.notes: tuple[str, ...] = ()
    self._arrange: Callable[[np.ndarray], np.ndarray] | None = None
    self._first = 0
    seen = [leaf for where, leaf in nests.leaves(spec, "observation") if self._is_seen(where, leaf)]
    size = sum(int(np.prod(leaf.shape)) for leaf in seen)
    if not size:
      self.spec = specs.BoundedArray((1,), np.float32, 0, 0, "observation")
      self._note("there is nothing to observe: the agent sees one number that is always 0")
    elif nests.is_nest(spec):
      self.spec = specs.Array((size,), np.float32, "observation")
    elif spec.dtype == np.uint8 and not _few(spec, SYMBOLS):
      self.spec = self._picture(spec)
    else:
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
    shown = nests.combine(self._raw, observation, _checked, "observation")
    if nests.is_nest(self._raw) or not isinstance(shown, np.ndarray):
      parts = [x.reshape(-1) for _, x in nests.leaves(shown, "") if x is not None]
      shown = np.concatenate([np.zeros(0, np.float32), *parts], dtype=np.float32)
    return self.convert(shown)

  def convert(self, shown: np.ndarray) -> np.ndarray:
    """Returns arrays [..., *raw shape], or the vectors of nests, in canonical form [..., *shape].

    Raises:
      ValueError: one line, for integers out of the bounds.
    """
    if not shown.size:
      lead = shown.shape[: shown.ndim - len(getattr(self._raw, "shape", (0,)))]
      return np.zeros((*lead, 1), np.float32)
    if self._arrange is not None:
      return self._arrange(shown)
    if self.spec.dtype != np.int32:
      return np.asarray(shown, self.spec.dtype)
    counted, most = np.asarray(shown, np.int64) - self._first, self.spec.maximum
    if counted.min() < 0 or counted.max() > most:
      raise ValueError(
        f"observation goes from {shown.min()} to {shown.max()}; declared is {self._first} to"
        f" {self._first + most}: make the two agree."
      )
    return counted.astype(np.int32)

  def _note(self, line: str) -> None:
    self.notes += (line,)

  def _is_seen(self, where: str, leaf: Any) -> bool:
    """Whether a part of what is declared is seen; refuses what cannot be."""
    if where.endswith(f"[{MASK!r}]"):
      raise ValueError(f"{where}: {MASK_REFUSED}")
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
    if nests.is_nest(self._raw) and leaf.dtype == np.uint8 and len(leaf.shape) > 1:
      raise ValueError(
        f"{where} is a picture (uint8 {leaf.shape}) among other things, which no agent here can"
        " read together yet. Have the environment show the picture alone, or only the numbers."
      )
    return True

  def _picture(self, spec: specs.Array) -> specs.Array:
    """The spec of what pixels become, and how."""
    if len(spec.shape) == 2 and min(spec.shape) >= GREY_SIDE:
      self._arrange = lambda x: x[..., None]
      return _pixels((*spec.shape, 1))
    if len(spec.shape) not in (3, 4):
      return spec
    stacked, first = len(spec.shape) == 4, channels_first(spec.shape)
    if first is None:
      raise ValueError(
        f"observation is uint8 {spec.shape}: are the channels of these pictures first or last? Have"
        " the environment give them last, [H, W, C]; or as float32, if they are no pictures."
      )
    if not stacked and not first:
      return spec

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


def _checked(leaf: Any, shown: Any, where: str) -> np.ndarray | None:
  """A part as an array; none of a text that is left out."""
  if not isinstance(leaf, ConstantText):
    return check_observation(leaf, shown, where)
  if shown != leaf.text:
    raise ValueError(f"{where} is {shown!r}; {leaf.text!r} is declared, and no other text.")
  return None


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
    return specs.DiscreteArray(spec.num_values, np.int32, spec.name)
  if spec.dtype == np.bool_:
    return specs.BoundedArray(spec.shape, np.int32, 0, 1, spec.name)
  if not isinstance(spec, specs.BoundedArray):
    return specs.Array(spec.shape, np.float32, spec.name)
  if np.issubdtype(spec.dtype, np.integer) and _few(spec, CATEGORIES):
    count = int(np.max(spec.maximum)) - int(np.min(spec.minimum))
    return specs.BoundedArray(spec.shape, np.int32, 0, count, spec.name)
  return specs.BoundedArray(spec.shape, np.float32, spec.minimum, spec.maximum, spec.name)
