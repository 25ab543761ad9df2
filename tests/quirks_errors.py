"""Environments, and a bonus, whose code raises or whose numbers nobody can learn from."""

import os
import threading
from pathlib import Path

import haiku as hk
import jax.numpy as jnp
import numpy as np
from dm_env import specs
from quirks import Base

import envs
from agents.bonuses import Bonus


class BoomInEvaluation(Base):  # fails in the evaluator's thread alone
  def step(self, a):
    if threading.current_thread().name == "evaluator":
      raise LookupError("no map of the test town")
    return super().step(a)


class BoomOnReset(Base):  # once the run is under way
  def reset(self, *, seed=None, options=None):
    if threading.current_thread().name.startswith("actor"):
      raise OSError("the simulator is not running")
    return super().reset(seed=seed, options=options)


class BoomWhenBuilt(Base):
  def __init__(self, render_mode=None):
    super().__init__(render_mode)
    self.map = Path("no_such_map.txt").read_text()


class BoomWhenTold(Base):  # in a later run only
  def step(self, a):
    if "QUIRK_BOOM" in os.environ:
      raise ValueError("broken since yesterday")
    return super().step(a)


class LongMessage(Base):
  def step(self, a):
    raise RuntimeError("the first line\n\n  the second line\nthe third line")


class NoMessage(Base):
  def step(self, a):
    assert self.t < 0
    return super().step(a)


class InLibrary(Base):  # raised by NumPy, which is not the person's own code
  def step(self, a):
    np.stack([np.zeros(2), np.zeros(3)])


class NaN(Base):
  def reward(self, a):
    return float("nan") if self.t == 5 else 1.0


class Inf(Base):
  def obs(self):
    seen = super().obs()
    if self.t == 5:
      seen[2] = np.inf
    return seen


class NoNumber(Base):
  def reward(self, a):
    return None


class HugeOnDevice(envs.Environment):
  max_episode_steps = 10

  def __init__(self, reward: float = 1e30):
    self.paid = reward

  def reset(self, key):
    return jnp.int32(0), envs.restart(jnp.zeros(3))

  def step(self, state, action):
    return state + 1, envs.transition(jnp.zeros(3), jnp.float32(self.paid), terminated=state >= 9)

  def observation_spec(self):
    return specs.BoundedArray((3,), np.float32, 0, 1)

  def action_spec(self):
    return specs.DiscreteArray(2)


def broken_bonus(settings, context):
  network = hk.without_apply_rng(hk.transform(lambda x: hk.Linear(1)(x)))

  def init(key):
    return network.init(key, jnp.zeros((1, 3))), ()

  def reward(params, kept, trajectory, outputs, key):
    return outputs["surprise"]

  def loss(params, kept, trajectory, outputs, key):
    return 0.0

  return Bonus(init, reward, loss, scaling="return_std")
