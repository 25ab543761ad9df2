"""Environments of dm_env whose observations are nests, with masks and text among them."""

from collections import OrderedDict

import dm_env
import numpy as np
from dm_env import specs


class Dm(dm_env.Environment):
  """A dm_env environment whose nest is shown in another order than declared."""

  last = np.full((2, 2), 2.0)

  @property
  def shown(self):
    return OrderedDict(a=np.float64(1), b=self.last)

  def reset(self):
    return dm_env.restart(self.shown)

  def step(self, action):
    return dm_env.termination(0.0, self.shown)

  def observation_spec(self):
    return {"b": specs.Array((2, 2), np.float64), "a": specs.Array((), np.float64)}

  def action_spec(self):
    return specs.DiscreteArray(3)


class DmWrongShape(Dm):
  last = np.zeros(4)


class DmMasked(Dm):
  @property
  def shown(self):
    return super().shown | {"action_mask": np.array([1, 1, 0], np.int8)}

  def observation_spec(self):
    return super().observation_spec() | {"action_mask": specs.BoundedArray((3,), np.int8, 0, 1)}


class DmText(Dm):
  @property
  def shown(self):
    return super().shown | {"told": "go on"}

  def observation_spec(self):
    return super().observation_spec() | {"told": specs.StringArray(())}
