"""Environments that end their process, or exit, or start processes of their own."""

import multiprocessing
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


class Pooled(Base):
  def __init__(self, render_mode=None):
    super().__init__(render_mode)
    # Of a thread-safe kind, and only where it is stepped.
    self.pool = multiprocessing.get_context("forkserver").Pool(1)

  def step(self, a):
    assert self.pool.map(abs, [-1]) == [1]
    return super().step(a)

  def close(self):
    self.pool.terminate()
    self.pool.join()
