"""Awkward spaces of actions, whose environments take nothing that is not in their space."""

import numpy as np
from gymnasium import spaces as S
from quirks import Base


class Strict(Base):
  def step(self, a):
    assert self.action_space.contains(a), f"illegal action {a!r}"
    assert a.dtype == self.action_space.dtype, f"illegal dtype {a.dtype}"
    return super().step(a)

  def reward(self, a):
    return float(np.mean(a))


class SeveralAxes(Strict):
  action_space = S.MultiDiscrete([[2, 3], [4, 1]], start=[[0, 1], [-2, 7]])


class BinaryAxes(Strict):
  action_space = S.MultiBinary((2, 3))


class OneBound(Strict):
  action_space = S.Box(np.float32([0, -np.inf]), np.float32([np.inf, 1]), dtype=np.float32)


class DictAction(Base):
  action_space = S.Dict({"a": S.Discrete(2), "b": S.Box(-1, 1, (2,))})
