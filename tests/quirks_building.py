"""Environments whose constructors go wrong, or cannot be called as they are."""

import gymnasium as gym
from quirks import Base
from quirks_success import SeededWhenMade


class WrongTypes(Base):  # a TypeError of its own code
  def __init__(self, render_mode=None):
    super().__init__(render_mode)
    self.size = len(3)


class SeedFirst(SeededWhenMade):  # the seed is required, and stands before what is not
  def __init__(self, seed, size=3):
    super().__init__(seed)


gym.register("QuirkWrongTypes-v0", entry_point=WrongTypes)
gym.register("QuirkSeedFirst-v0", entry_point=SeedFirst)
