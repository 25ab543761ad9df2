"""The distributions over ranks that Zipfian benchmarks draw episodes from."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

SPLITS = ("zipf", "uniform", "rare")


def distribution(split: str, exponent: float, count: int, rare: int) -> np.ndarray:
  """Probabilities of the ranks, float64 [count].

  Args:
    split: "zipf": 1 / r^exponent; "uniform"; "rare": uniform over the last ones.
    exponent: of the zipf split.
    count: of the ranks.
    rare: how many of the last ones the rare split draws from.
  """
  rank = np.arange(count)
  if split == "rare":
    weight = (rank >= count - rare).astype(np.float64)
  else:
    weight = (rank + 1.0) ** -(exponent if split == "zipf" else 0.0)
  return weight / weight.sum()


def check(split: Any, exponent: Any) -> float:
  """The exponent as a float.

  Raises:
    ValueError: one line, for an unknown split or an exponent that is not finite and >= 0.
  """
  one_of("split", split, SPLITS)
  if isinstance(exponent, bool) or not isinstance(exponent, (int, float)):
    raise ValueError(f"exponent must be a number, got {exponent!r}.")
  if not (math.isfinite(exponent) and exponent >= 0):
    raise ValueError(f"exponent must be finite and at least 0, got {exponent!r}.")
  return float(exponent)


def one_of(what: str, value: Any, names: Sequence[str]) -> None:
  """Raises ValueError, in one line that names the nearest ones, unless a value is a name."""
  if value not in names:
    near = difflib.get_close_matches(str(value), names, n=3, cutoff=0.4) or names
    raise ValueError(f"unknown {what} {value!r}: did you mean {' or '.join(near)}?")
