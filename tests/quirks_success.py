"""Awkward gymnasium environments: how they tell success, take their seed and offer pictures."""

import random
from typing import ClassVar

import gymnasium as gym
import numpy as np
from quirks import Base

# Success


class MiddleSuccess(Base):  # Meta-World's way: reached at some step, left again
  def info(self):
    return {"success": float(self.t == 5)}


class LostSuccess(Base):  # robotics' way: what counts is where the episode ends
  def info(self):
    return {"is_success": np.float32(self.t < self.length)}


class Turns(Base):  # the action says what is told; two steps an episode
  length = 2

  def step(self, a):
    self.told = [{}, {"is_success": False}, {"is_success": True}][a]
    return super().step(a)

  def info(self):
    return self.told


class OnlyWhenWon(Base):  # speaks up only where it succeeds, in about half of the episodes
  def reset(self, *, seed=None, options=None):
    out = super().reset(seed=seed)
    self.wins = self.np_random.random() < 0.5
    return out

  def info(self):
    return {"is_success": True} if self.wins and self.t >= self.length else {}


class Contradicts(Base):  # reaches its threshold, and says that this is no success
  success_return = -1e9

  def info(self):
    return {"is_success": False}


class Unclear(Base):  # nothing of this says whether it succeeded
  def info(self):
    return {"is_success": None, "success": "grasped"}


class Cost(Base):  # one a step: the best return is below 0
  success_return = -10.0

  def reward(self, a):
    return -1.0


class Unreached(Cost):
  success_return = -9.0


class Nothing(Base):  # a threshold of 0, which a return of 0 reaches
  success_return = 0

  def reward(self, a):
    return 0.0


class WordsForSuccess(Base):
  success_return = "high"


class NoSteps(Base):
  max_episode_steps = 0


# Seeds


class SeededWhenMade(Base):
  def __init__(self, seed=None, render_mode=None):
    super().__init__(render_mode)
    self.rng = np.random.default_rng(seed)

  def obs(self):
    return self.rng.uniform(-1, 1, 3).astype(np.float32)

  def reset(self, *, seed=None, options=None):
    self.t = 0
    return self.obs(), {}


class SeedRequired(SeededWhenMade):
  def __init__(self, seed):
    super().__init__(seed)


class AllAlike(SeededWhenMade):  # a seed of its own, whatever it is told
  def __init__(self, render_mode=None):
    super().__init__(0, render_mode)


class GlobalDraws(SeededWhenMade):  # NumPy's and Python's own generators
  def __init__(self, render_mode=None):
    super().__init__(None, render_mode)

  def obs(self):
    numpys = np.random.uniform(-1, 1, 2)  # noqa: NPY002 - that is the quirk
    return np.array([*numpys, random.uniform(-1, 1)], np.float32)


class OneStart(Base):  # begins at one place, as a maze does
  def obs(self):
    return super().obs() * (self.t > 0)


class Drawn(Base):
  metadata: ClassVar = {"render_modes": ["human", "rgb_array"], "render_fps": 4}

  def render(self):
    return None if self.render_mode is None else np.zeros((8, 8, 3), np.uint8)


class NotAsked(Drawn):  # its metadata promise what its constructor does not take
  def __init__(self):
    super().__init__()


class PassesOn(Drawn):
  def __init__(self, **settings):
    super().__init__(**settings)


class Broken(Base):
  def __init__(self, render_mode=None):
    raise KeyError("no such file: world.xml")


class NoSize(Base):
  def __init__(self, size):
    super().__init__()


def drawn(render_mode=None):
  return Drawn(render_mode)


def not_drawn(render_mode=None):
  assert render_mode is None
  return Base()


gym.register("QuirkZero-v0", entry_point="quirks_success:Nothing", reward_threshold=0)
gym.register("QuirkCost-v0", entry_point="quirks_success:Cost", reward_threshold=-110)
gym.register("QuirkSeeded-v0", entry_point="quirks_success:SeededWhenMade")
for name, entry in {"Drawn": Drawn, "NotAsked": NotAsked, "PassesOn": PassesOn}.items():
  gym.register(f"Quirk{name}-v0", entry_point=entry)
gym.register("QuirkMaker-v0", entry_point=drawn)
gym.register("QuirkBroken-v0", entry_point="quirks_success:Broken")
