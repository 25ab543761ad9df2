"""Environments that answer with what no interface has: spaces, flags, infos, numbers."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces as S
from quirks import Base


class NoSpace(gym.Env):
  """Its space is set too late."""

  action_space = S.Discrete(2)

  def reset(self, *, seed=None, options=None):
    self.observation_space = S.Box(-1, 1, (2,))
    return np.zeros(2, np.float32), {}


class NoneSpace(Base):
  observation_space = None


class TextSpace(Base):
  action_space = "two"


class BrokenSpace(Base):  # an AttributeError of its own code
  @property
  def observation_space(self):
    return self.lost


class Endless(Base):
  observation_space = S.Discrete(10**9)


class EndlessInside(Base):
  observation_space = S.Dict({"where": S.Discrete(10**9)})


class OnePoint(Base):
  action_space = S.Box(np.float32([0, 1]), np.float32([2, 1]))


class NoneObs(Base):
  def obs(self):
    return None


class Ragged(Base):
  def obs(self):
    return [[1], [2, 3]]


class Complex(Base):
  def obs(self):
    return np.zeros(3, np.complex64)


class ArrayForDict(Base):
  observation_space = S.Dict({"a": S.Discrete(2)})

  def obs(self):
    return np.zeros(4)


class ElsewhereCounted(Base):
  observation_space = S.Discrete(5, start=10)

  def obs(self):
    return 3


class Beyond(Base):
  observation_space = S.Box(-np.inf, np.inf, (3,), np.float64)

  def obs(self):
    return np.array([0, -1e300, 1e200])


class NoneInfo(Base):
  def reset(self, *, seed=None, options=None):
    return super().reset(seed=seed)[0], None


class NoneStep(Base):
  def step(self, a):
    return None


class ListInfo(Base):
  def info(self):
    return [1]


class HugeReward(Base):
  def reward(self, a):
    return 1e300


class HugeInteger(Base):
  def reward(self, a):
    return 10**400


class Flag(Base):
  def __init__(self, ended):
    super().__init__()
    self.ended = ended

  def step(self, a):
    return self.obs(), 0.0, self.ended, False, {}


class Duck:
  """Looks like an environment."""


class NeedsTwo(Base):
  def __init__(self, size, *, kind, depth=1):
    super().__init__()
