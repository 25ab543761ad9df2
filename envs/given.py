"""What a person's environment gave, read as numbers: observations, rewards."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from dm_env import specs

_LARGEST = float(np.finfo(np.float32).max)


def check_reward(reward: Any) -> float:
  """Returns the reward that a user's environment gave, one number in whatever array, as a float.

  Raises:
    ValueError: one line, if it is anything else, or finite and beyond float32.
  """
  value = None
  if isinstance(reward, float):  # NumPy's float64 is one
    value = float(reward)
  elif not isinstance(reward, str | bytes):
    try:
      value = float(np.asarray(reward).item())
    except OverflowError:
      raise ValueError(f"the reward is an integer {_beyond(np.float32)}") from None
    except (TypeError, ValueError):
      pass
  if value is None:
    shown = " ".join(repr(reward).split())
    raise ValueError(f"the reward is {shown[:80]} ({type(reward).__name__}); expected one number.")
  if _LARGEST < abs(value) < math.inf:
    raise ValueError(f"the reward is {value:g}, {_beyond(np.float32)}")
  return value


def check_observation(
  spec: specs.Array, observation: Any, where: str = "observation"
) -> np.ndarray:
  """Returns an observation as an array of the spec's dtype, for the adapters.

  Args:
    spec: of one observation, or of a part of it.
    observation: what a user's environment returned for it.
    where: how it is called in messages.

  Raises:
    ValueError: one line, for another shape, or a dtype that the spec's cannot hold.
  """
  try:
    array = np.asarray(observation)
  except ValueError:
    kind = f"a {type(observation).__name__} of parts of several lengths"
    raise ValueError(f"{where} is {kind}; {_expected(spec)}.") from None
  if array.dtype.kind not in "biuf":
    kind = "None" if observation is None else f"a {type(observation).__name__}"
    if array is observation:
      kind = f"an array of dtype {array.dtype}"
    raise ValueError(f"{where} is {kind}; {_expected(spec)}.")
  if array.shape != spec.shape:
    raise ValueError(
      f"{where} has shape {array.shape}; declared is {spec.shape}: make the two agree."
    )
  if array.dtype == spec.dtype:
    return array
  if array.dtype.kind == "f" and spec.dtype.kind != "f":
    raise ValueError(
      f"{where} has dtype {array.dtype}; declared is {spec.dtype}: make the two agree."
    )
  if spec.dtype.kind in "iu" and array.size and not np.can_cast(array.dtype, spec.dtype):
    least, most = np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max
    if array.min() < least or array.max() > most:
      raise ValueError(
        f"{where} goes from {array.min()} to {array.max()}; declared is {spec.dtype}."
      )
  return cast(array, spec.dtype, where)


def cast(array: np.ndarray, dtype: Any, where: str = "observation") -> np.ndarray:
  """Returns numbers in another dtype; the same array where it has it already.

  Raises:
    ValueError: one line, for a finite number that becomes infinite.
  """
  if array.dtype == dtype:
    return array
  try:
    with np.errstate(over="raise", under="ignore", invalid="ignore"):
      return array.astype(dtype)
  except FloatingPointError:
    largest = np.max(np.abs(array), where=np.isfinite(array), initial=0)
    raise ValueError(f"{where} holds {largest:g}, {_beyond(dtype)}") from None


def _expected(spec: specs.Array) -> str:
  return f"expected numbers, {spec.dtype} {spec.shape}"


def _beyond(dtype: Any) -> str:
  return f"beyond {np.dtype(dtype).name}: scale it down."
