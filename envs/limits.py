"""How large the numbers of an environment may be."""

from __future__ import annotations

import numpy as np

LARGEST = float(np.sqrt(np.finfo(np.float32).max)) / 1e4
"""Of larger numbers float32 does not hold the sum of many squares, as returns and moments are."""
LIMITS = dict.fromkeys(("reward", "observation", "discount"), LARGEST)
"""Larger numbers are refused."""


def advice(name: str, value: float, source: str = "step() and reset()") -> str:
  """What to do about a number that is beyond its limit in `LIMITS`, NaN or infinite."""
  if not np.isfinite(value):
    return f"look at its {source}."
  wrapper = f"gymnasium.wrappers.Transform{name.capitalize()}"
  return (
    f"this {name} is too large to learn from: float32 does not hold its squares; scale it down,"
    f" for instance with {wrapper}."
  )
