"""Environments of a user's own, importable by worker processes too."""

import textwrap

import pytest

WORLDS = '''
import multiprocessing, os, signal, time
import dm_env, gymnasium, numpy as np
from dm_env import specs


class Counter(gymnasium.Env):
  """Observes (a number drawn at the start, t); ends at 4. Action 1 hangs, 2 dies, 3 raises."""

  observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
  action_space = gymnasium.spaces.Discrete(4)
  max_episode_steps = 50

  def __init__(self, length: int = 4):
    self.length = length

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self.drawn, self.t = float(self.np_random.integers(10**6)), 0
    return np.array([self.drawn, self.t]), {}

  def step(self, action):
    if action == 1:
      signal.pause()
    if action == 2:
      os.kill(os.getpid(), signal.SIGKILL)
    if action == 3:
      raise KeyError("the lost key")
    self.t += 1
    return np.array([self.drawn, self.t]), 0.5, self.t == self.length, False, {}


class Nested(dm_env.Environment):
  """A dm_env environment with a dict for an observation and numbers for actions."""

  def __init__(self, seed=None):
    self.rng = np.random.default_rng(seed)

  def reset(self):
    return dm_env.restart(self.observe())

  def step(self, action):
    return dm_env.transition(float(action.sum()), self.observe())

  def observe(self):
    return {"b": self.rng.random((2, 2)), "a": np.float64(7)}

  def observation_spec(self):
    return {"b": specs.Array((2, 2), np.float64), "a": specs.Array((), np.float64)}

  def action_spec(self):
    return specs.BoundedArray((2,), np.float64, -1, 1)


class Parent(Counter):
  """Starts a process that waits for ever, and observes its number."""

  def step(self, action):
    child = multiprocessing.get_context("spawn").Process(target=signal.pause)
    child.start()
    return np.array([child.pid, 0.0]), 0.5, False, False, {}


def nothing():
  return 3
'''


@pytest.fixture
def worlds(tmp_path, monkeypatch):
  """The module `worlds_of_a_test` on the path, workers' included; returns its folder."""
  (tmp_path / "worlds_of_a_test.py").write_text(textwrap.dedent(WORLDS))
  monkeypatch.syspath_prepend(str(tmp_path))
  return tmp_path
