"""Environments that end their process, exit, or fail to close."""

import os
import sys

from quirks import Base


class DiesAtEveryStep(Base):
  def step(self, a):
    os._exit(9)


class Exits(Base):
  def step(self, a):
    sys.exit(3)


class ExitsGenerator(Base):
  def step(self, a):
    raise GeneratorExit("odd")


class ExitsWhenBuilt(Base):
  def __init__(self, render_mode=None):
    sys.exit("need a licence")


class ExitsWhenReset(Base):
  def reset(self, *, seed=None, options=None):
    sys.exit(4)


class BoomOnClose(Base):
  def close(self):
    raise OSError("close failed")


class ExitsOnClose(Base):
  def close(self):
    sys.exit(5)
