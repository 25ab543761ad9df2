"""All ways of stepping many environments: the same episodes, in the same convention."""

import threading

import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv

import envs
from envs.environment import FIRST, LAST
from envs.errors import EnvironmentFailed
from envs.host.environment import environment_seed, environment_seeds
from envs.host.host import Host, from_gym
from envs.host.processes import ProcessVector
from envs.host.serial import SerialVector, ThreadVector
from envs.host.vector import vector

B, STEPS = 3, 12

FORMS = {
  "serial": lambda env: SerialVector(env, B, 7),
  "threads": lambda env: ThreadVector(env, B, 7, 60.0),
  "processes_1": lambda env: ProcessVector(env, B, 7, 60.0, num_workers=1),
  "processes_3": lambda env: ProcessVector(env, B, 7, 60.0, num_workers=3),
}


def by_hand():
  """The episodes of `Counter`, one environment after another in plain gymnasium."""
  from worlds_of_a_test import Counter

  columns = []
  for index in range(B):
    env, column = Counter(), []
    seed = int(np.random.SeedSequence([7, index]).generate_state(1)[0] >> 1)
    ended = True
    for _ in range(STEPS + 1):
      if ended:
        observation, reward, ended = env.reset(seed=seed)[0], 0.0, False
        column.append((0, reward, 1.0, observation))
        seed = None
      else:
        observation, reward, ended, _, _ = env.step(0)
        column.append((2 if ended else 1, reward, 0.0 if ended else 1.0, observation))
    columns.append(column)
  return [
    [np.array(field) for field in zip(*rows, strict=True)] for rows in zip(*columns, strict=True)
  ]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_plays_the_same_episodes_and_keeps_the_final_observation(worlds, form):
  env = envs.make("worlds_of_a_test:Counter")
  expected = by_hand()
  with FORMS[form](env) as stepped:
    for t in range(STEPS + 1):
      now = stepped.step(np.zeros(B, np.int64)) if t else stepped.reset()
      for field, wanted in zip(now, expected[t], strict=True):
        np.testing.assert_array_equal(field, wanted)
  assert [x.dtype for x in now] == [np.int32, np.float32, np.float32, np.float32]


@pytest.mark.parametrize("form", FORMS)
def test_actions_of_a_wrong_shape_or_kind_are_one_line(worlds, form):
  with FORMS[form](envs.make("worlds_of_a_test:Counter")) as stepped:
    stepped.reset()
    with pytest.raises(ValueError, match=r"actions have shape \(2,\); expected \(3,\)"):
      stepped.step(np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="actions have dtype float64; expected int32"):
      stepped.step(np.zeros(3))


def test_a_stuck_thread_is_told():
  freed = threading.Event()

  class Stuck(CartPoleEnv):
    def reset(self, **settings):
      freed.wait()
      return super().reset(**settings)

  env = Host(lambda seed: from_gym(Stuck(), seed), "threads")
  env.name = "stuck"
  with vector(env, 2, 0, timeout=0.01) as stepped:
    with pytest.raises(EnvironmentFailed, match=r"'stuck': a step took more than 0\.01 s"):
      stepped.step(np.zeros(2, np.int64))
    freed.set()


def test_environment_i_has_the_same_seed_whatever_stands_beside_it():
  assert environment_seeds(5, 3) == [environment_seed(5, i) for i in range(3)]
  assert len(set(environment_seeds(5, 100)) | set(environment_seeds(6, 100))) == 200
  assert environment_seed(5, 0, 1) != environment_seed(5, 0)
  assert all(0 <= seed < 2**31 for seed in environment_seeds(0, 1000))


def test_a_functional_environment_is_one_program_with_a_stream_for_each():
  env = envs.make("probe/observation_reward")
  with vector(env, 4, 3) as four, vector(env, 2, 3) as two:
    now, less = four.reset(), two.reset()
    for _ in range(5):
      assert all(isinstance(x, np.ndarray) for x in now)
      for x, y in zip(now, less, strict=True):
        np.testing.assert_array_equal(x[:2], y)
      before, now = now, four.step(np.zeros(4, np.int32))
      less = two.step(np.zeros(2, np.int32))
      np.testing.assert_array_equal(now.step_type == FIRST, before.step_type == LAST)
