"""Numbers that nobody can learn from are refused, with environment, step and action."""

import dm_env
import numpy as np
import pytest

from envs.environment import FIRST, LAST, MID
from envs.errors import EnvironmentFailed
from envs.given import check_reward
from envs.host.checked import CheckedVector
from envs.host.environment import VectorEnvironment


class Scripted(VectorEnvironment):
  """Two environments with episodes of 3 steps; `spoil` changes the time step of call `at`."""

  num_envs = 2

  def __init__(self, at=-1, spoil=lambda timestep: None, dtype=np.float32):
    self.at, self.spoil, self.dtype, self.calls = at, spoil, dtype, 0

  def reset(self):
    return self._timestep()

  def step(self, action):
    self.calls += 1
    return self._timestep()

  def _timestep(self):
    step_type = (FIRST, MID, MID, LAST)[self.calls % 4]
    timestep = dm_env.TimeStep(
      np.full(2, step_type, np.int32),
      np.full(2, 1.0, np.float32),
      np.full(2, 1.0, np.float32),
      np.full((2, 3, 2), 7, self.dtype),
    )
    if self.calls == self.at:
      self.spoil(timestep)
    return timestep


def put(name, index, value):
  return lambda timestep: getattr(timestep, name).__setitem__(index, value)


def play(vector, steps=8):
  vector = CheckedVector(vector, "mine")
  vector.reset()
  for call in range(1, steps + 1):
    vector.step(np.array([call, call + 100]))


@pytest.mark.parametrize(
  ("at", "spoil", "told"),
  [
    (
      6,
      put("reward", 1, np.nan),
      r"'mine' \(number 1\): reward is nan at step 2 of its episode, after action 106"
      r" \(its step 6 in all\); look at its step\(\)\.",
    ),
    (2, put("observation", (0, 2, 1), -np.inf), r"observation\[2\]\[1\] is -inf at step 2 of"),
    (3, put("discount", 0, np.nan), r"\(number 0\): discount is nan at step 3"),
    (4, put("observation", (1, 0, 0), np.nan), r"at the start of an episode \(.*at its reset\(\)"),
    (0, put("observation", (1, 0, 0), np.nan), r"at the start of an episode \(its step 0 in all"),
    (1, put("reward", 0, -1e30), r"reward is -1e\+30 .*too large .*TransformReward"),
    (1, put("observation", (0, 0, 0), 1e30), r"is 1e\+30 .*too large .*TransformObservation"),
  ],
)
def test_the_first_bad_number_is_told(at, spoil, told):
  with pytest.raises(EnvironmentFailed, match=told) as raised:
    play(Scripted(at, spoil))
  assert "\n" not in str(raised.value)


def test_large_numbers_that_can_be_squared_and_pictures_pass():
  play(Scripted(1, put("reward", 0, -1e15)))
  play(Scripted(1, put("observation", (0, 0, 0), 1e15)))
  play(Scripted(dtype=np.uint8))


def test_actions_of_many_numbers_are_shown_short():
  vector = CheckedVector(Scripted(1, put("reward", 0, np.nan)), "mine")
  vector.reset()
  with pytest.raises(EnvironmentFailed, match=r"after action \[0\.5, 0\.5, 0\.5, \.\.\., 0\.5"):
    vector.step(np.full((2, 50), 0.5))


@pytest.mark.parametrize(
  "reward", [1, True, np.float32(1), np.array(1.0), np.array([1.0]), np.ones((1, 1)), [1.0]]
)
def test_one_number_is_a_reward_in_whatever_it_is_wrapped(reward):
  checked = check_reward(reward)
  assert checked == 1.0
  assert type(checked) is float


@pytest.mark.parametrize(
  ("reward", "told"),
  [
    (None, r"the reward is None \(NoneType\); expected one number"),
    ("1.0", r"the reward is '1\.0' \(str\); expected one number"),
    (np.ones(2), r"the reward is array\(\[1\., 1\.\]\) \(ndarray\); expected one number"),
    ({"a": 1.0}, r"the reward is \{'a': 1\.0\} \(dict\); expected one number"),
    (np.zeros((9, 9)), r"the reward is array\(.{70,80} \(ndarray\); expected one number"),
  ],
)
def test_what_is_no_number_is_told_in_one_line(reward, told):
  with pytest.raises(ValueError, match=told) as raised:
    check_reward(reward)
  assert "\n" not in str(raised.value)
