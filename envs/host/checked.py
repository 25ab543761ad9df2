"""Environments stepped together whose numbers are looked at: nothing is learned from NaN."""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np

from envs.environment import FIRST
from envs.errors import EnvironmentFailed
from envs.host.environment import VectorEnvironment
from envs.limits import LIMITS, advice


class CheckedVector(VectorEnvironment):
  """Steps `inner` and stops at the first number that nothing can be learned from."""

  def __init__(self, inner: VectorEnvironment, name: str):
    """`name` is what messages call the environment."""
    self.num_envs = inner.num_envs
    self._inner, self._name = inner, name
    self._lengths = np.zeros(inner.num_envs, np.int64)
    self._steps = 0

  def reset(self) -> dm_env.TimeStep:
    """As the contract says; raises what `step` does."""
    return self._checked(self._inner.reset(), None)

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    """As the contract says.

    Raises:
      EnvironmentFailed: what the environment raised; or, at a NaN, infinite or huge reward,
        observation or discount, one line that says which, where, and after which action.
    """
    timestep = self._inner.step(action)
    self._steps += 1
    return self._checked(timestep, action)

  def oracle(self) -> Any:
    return self._inner.oracle()

  def success(self) -> np.ndarray:
    return self._inner.success()

  def unknown_words(self) -> np.ndarray:
    return self._inner.unknown_words()

  def close(self) -> None:
    self._inner.close()

  def _checked(self, timestep: dm_env.TimeStep, action: np.ndarray | None) -> dm_env.TimeStep:
    first = timestep.step_type == FIRST
    self._lengths += 1
    self._lengths[first] = 0
    for name, limit in LIMITS.items():
      tree = getattr(timestep, name)
      for leaf, values in tree.items() if isinstance(tree, dict) else (("", tree),):
        # The largest of numbers with a NaN is NaN.
        if (
          values.dtype.kind == "f"
          and not np.maximum.reduce(np.abs(values), None, initial=0) <= limit
        ):
          bad = tuple(np.argwhere(~(np.abs(values) <= limit))[0])
          self._refuse(name, leaf, bad, values[bad], None if first[bad[0]] else action)
    return timestep

  def _refuse(self, name: str, leaf: str, at: tuple[int, ...], value: float, action: Any) -> None:
    index = at[0]
    entry = (f"[{leaf!r}]" if leaf else "") + "".join(f"[{i}]" for i in at[1:])
    when = f"at step {self._lengths[index]} of its episode"
    source = "step()"
    if action is None:
      when, source = "at the start of an episode", "reset()"
    else:
      shown = np.array2string(np.asarray(action)[index], precision=4, threshold=8, separator=", ")
      when += f", after action {' '.join(shown.split())}"
    raise EnvironmentFailed.saying(
      f"environment {self._name!r} (number {index})",
      f"{name}{entry} is {value:g} {when} (its step {self._steps:,} in all);"
      f" {advice(name, value, source)}",
    )
