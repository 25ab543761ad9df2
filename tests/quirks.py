"""Awkward gymnasium environments, each of a kind that people report to libraries of the field."""

import time
from typing import ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces as S


class Base(gym.Env):
  metadata: ClassVar = {"render_modes": []}
  observation_space = S.Box(-1, 1, (3,), np.float32)
  action_space = S.Discrete(3)
  length = 10

  def __init__(self, render_mode=None):
    self.render_mode = render_mode

  def obs(self):
    return self.np_random.uniform(-1, 1, 3).astype(np.float32)

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self.t = 0
    return self.obs(), {}

  def reward(self, a):
    return float(np.mean(a == 1))  # of several at once, each

  def info(self):
    return {}

  def step(self, a):
    self.t += 1
    return self.obs(), self.reward(a), self.t >= self.length, False, self.info()


class Start(Base):  # Discrete(start=-1): only {-1,0,1} legal
  action_space = S.Discrete(3, start=-1)

  def step(self, a):
    assert self.action_space.contains(a), f"illegal action {a!r}"
    return super().step(a)

  def reward(self, a):
    return float(a == -1)


class Empty(Base):  # nothing to see at all
  observation_space = S.Box(0, 1, (0,), np.float32)

  def obs(self):
    return np.zeros(0, np.float32)


class TextDict(Base):
  observation_space = S.Dict({"image": S.Box(0, 10, (3, 3, 3), np.uint8), "mission": S.Text(60)})

  def obs(self):
    return {"image": np.zeros((3, 3, 3), np.uint8), "mission": "go to the red ball"}


class MultiDiscreteAction(Base):
  action_space = S.MultiDiscrete([3, 2])


class MultiBinaryAction(Base):
  action_space = S.MultiBinary(4)


class UnboundedAction(Base):
  action_space = S.Box(-np.inf, np.inf, (2,), np.float32)


class NaNReward(Base):
  def reward(self, a):
    return float("nan") if self.t == 5 and self.np_random.random() < 0.01 else 1.0


class InfObs(Base):
  def obs(self):
    o = super().obs()
    if self.t == 5 and self.np_random.random() < 0.01:
      o[0] = np.inf
    return o


class HugeReward(Base):
  def reward(self, a):
    return 1e30


class Constant(Base):  # the bonus is exactly zero
  def obs(self):
    return np.zeros(3, np.float32)

  def reward(self, a):
    return 0.0


class InfoSuccess(Base):  # success is in info only (robotics, MetaWorld)
  def info(self):
    return {"is_success": self.t >= self.length, "success": self.t >= self.length}

  def reward(self, a):
    return -0.1


class Simulator(InfoSuccess):  # its steps take a while, in which it needs no processor
  def step(self, a):
    time.sleep(0.002)
    return super().step(a)


class RenderAssert(Base):  # the official tutorial's line
  metadata: ClassVar = {"render_modes": ["human"], "render_fps": 4}

  def __init__(self, render_mode=None):
    assert render_mode is None or render_mode in self.metadata["render_modes"]
    super().__init__(render_mode)


class OldStep(Base):  # gym 0.21: four values
  def step(self, a):
    o, r, d, _, i = super().step(a)
    return o, r, d, i


class OldReset(Base):  # gym 0.21: no seed, observation alone
  def reset(self):
    gym.Env.reset(self)
    self.t = 0
    return self.obs()


class WrongShape(Base):
  def obs(self):
    return np.zeros(5, np.float32)


class Masked(Base):  # action mask in info and as an observation key
  observation_space = S.Dict({"obs": S.Box(-1, 1, (3,)), "action_mask": S.MultiBinary(3)})

  def obs(self):
    return {"obs": np.zeros(3, np.float32), "action_mask": np.array([1, 1, 0], np.int8)}

  def info(self):
    return {"action_mask": np.array([1, 1, 0], np.int8)}

  def step(self, a):
    assert a != 2, "illegal action 2 was masked"
    return super().step(a)


class Both(Base):  # terminated and truncated together
  def step(self, a):
    o, r, d, _, i = super().step(a)
    return o, r, d, d, i


class OneStep(Base):
  length = 1


class Endless(Base):  # never ends by itself, no limit registered
  def step(self, a):
    o, r, _, _, i = super().step(a)
    return o, r, False, False, i


class Boom(Base):  # what a person's own code raises must reach them
  def step(self, a):
    if self.t == 5:
      raise KeyError("battery_level is missing")
    return super().step(a)


class Cue(Base):  # one step: say which of three cues is seen, in units of one's own
  length = 1

  def __init__(self, unit=1.0, offset=0.0, render_mode=None):
    super().__init__(render_mode)
    self.unit, self.offset = unit, offset
    self.observation_space = S.Box(-np.inf, np.inf, (3,), np.float32)

  def obs(self):
    self.c = int(self.np_random.integers(3))
    return (np.eye(3)[self.c] * self.unit + self.offset).astype(np.float32)

  def step(self, a):
    right = float(a == self.c)
    return self.obs(), right, True, False, {}


gym.register("Quirk-v0", entry_point="quirks:Base", max_episode_steps=10)
gym.register("QuirkRenderAssert-v0", entry_point="quirks:RenderAssert", max_episode_steps=10)
