"""Environments whose render() fails, each in a way that people meet."""

import numpy as np
from quirks import Base


class Raises(Base):
  def render(self):
    raise RuntimeError("no display :0\nand more")


class Nothing(Base):
  def render(self):
    return None


class Breaks(Base):  # the next step after a picture
  drawn = False

  def render(self):
    self.drawn = True
    return np.zeros((4, 4, 3), np.uint8)

  def step(self, a):
    if self.drawn:
      raise KeyError("battery_level")
    return super().step(a)
