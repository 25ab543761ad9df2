"""Whether an episode succeeded: one rule, for training, evaluation and clips alike.

1. What the environment itself tells of the episode counts first. A gymnasium environment tells it
   in the `info` of its steps: `is_success` as the last step of the episode has it, which is how
   Stable-Baselines3 counts it (its EvalCallback reads it where an episode is done) and how
   gymnasium-robotics means it; where the last step has none, `success` at any step of the episode,
   as Meta-World counts it ("at any point during the episode", docs/evaluation/evaluation.md). 1 or
   True is success. None, NaN and what is no single number tell nothing.
2. Else a return of at least the environment's `success_return`, where that is finite.
3. Else nothing is known. Among episodes of which some are known, an unknown one counts as no
   success: many environments speak up only when they succeed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

UNKNOWN, FAILURE, SUCCESS = -1, 0, 1


class InfoSuccess:
  """What a gymnasium environment tells of the episode under way, read from its steps' `info`."""

  def __init__(self) -> None:
    self.begin()

  def begin(self) -> None:
    """Forgets the episode before."""
    self._at_last = self._at_any = UNKNOWN

  def read(self, info: Any) -> None:
    """Takes in the `info` of one step; what is no mapping tells nothing."""
    if type(info) is not dict and not isinstance(info, Mapping):  # the second is slow
      info = {}
    self._at_last = flag(info.get("is_success"))
    self._at_any = max(self._at_any, flag(info.get("success")))

  def outcome(self) -> int:
    """SUCCESS, FAILURE or UNKNOWN, were the episode to end here."""
    return self._at_any if self._at_last == UNKNOWN else self._at_last


def flag(value: Any) -> int:
  """A value of `info` as SUCCESS, FAILURE, or UNKNOWN for what is no single number."""
  if value is None:  # nearly always, and an exception is slow
    return UNKNOWN
  if isinstance(value, np.ndarray) and value.size == 1:
    value = value.item()
  if isinstance(value, str | bytes):  # which float() would read
    return UNKNOWN
  try:
    number = float(value)
  except (TypeError, ValueError, RuntimeError):  # no number, or many in an array or tensor
    return UNKNOWN
  return UNKNOWN if math.isnan(number) else SUCCESS if number >= 1 else FAILURE


def reported_by(env: Any) -> int:
  """What one environment on the host tells of its episode by `episode_success()`, if it has one."""
  tell = getattr(env, "episode_success", None)
  return UNKNOWN if tell is None else int(tell())


def outcomes(reported: np.ndarray, returns: np.ndarray, success_return: float) -> np.ndarray:
  """SUCCESS, FAILURE or UNKNOWN of episodes that are over, int8 [E].

  Args:
    reported: what the environments reported of them, int8 [E].
    returns: undiscounted [E].
    success_return: of the environment; not finite where it has none.
  """
  reported = np.asarray(reported, np.int8)
  if not math.isfinite(success_return):
    return reported
  return np.where(reported == UNKNOWN, np.asarray(returns) >= success_return, reported).astype(
    np.int8
  )


def succeeded(outcomes: np.ndarray) -> np.ndarray | None:
  """Whether each of many episodes succeeded, bool [E]; None if nothing is known of any."""
  known = (outcomes != UNKNOWN).any()
  return outcomes == SUCCESS if known else None
