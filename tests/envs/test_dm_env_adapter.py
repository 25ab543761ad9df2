"""The dm_env form of an environment."""

import numpy as np
import pytest
from absl.testing import absltest
from dm_env import StepType, test_utils

from envs.adapters import to_dm_env
from envs.hard.deep_sea import DeepSea
from envs.probes import probes


class DeepSeaUnderDmEnvsOwnTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
  def make_object_under_test(self):
    return to_dm_env(DeepSea(3))

  def make_action_sequence(self):
    return np.random.default_rng(0).integers(0, 2, 20)


class TruncationUnderDmEnvsOwnTest(DeepSeaUnderDmEnvsOwnTest):
  def make_object_under_test(self):
    return to_dm_env(probes.Truncation(3))


def episode(env, actions):
  return [env.step(action) for action in actions]


def test_reward_and_discount_are_none_at_first_and_floats_after():
  env = to_dm_env(DeepSea(2))
  first, mid, last = episode(env, [0, 0, 0])
  assert (first.reward, first.discount) == (None, None)
  assert (type(mid.reward), type(mid.discount)) == (float, float)
  assert [t.step_type for t in (first, mid, last)] == [StepType.FIRST, StepType.MID, StepType.LAST]


def test_the_step_after_a_last_starts_an_episode():
  env = to_dm_env(DeepSea(1))
  types = [t.step_type for t in episode(env, [0, 0, 0, 0])]
  assert types == [StepType.FIRST, StepType.LAST] * 2


@pytest.mark.parametrize(("probe", "discount"), [("Truncation", 1.0), ("Termination", 0.0)])
def test_truncation_keeps_discount_1_and_termination_has_0(probe, discount):
  last = episode(to_dm_env(getattr(probes, probe)(2)), [0, 0, 0])[-1]
  assert last.last()
  assert last.discount == discount


def test_a_seed_fixes_all_episodes_and_another_gives_others():
  def cues(seed):
    env = to_dm_env(probes.ObservationReward(), seed)
    return [float(env.reset().observation[0]) for _ in range(20)]

  assert cues(1) == cues(1)
  assert cues(1) != cues(2)
  assert len(set(cues(1))) == 2


@pytest.mark.parametrize("action", [2, -1, 0.0, [0]])
def test_a_wrong_action_is_refused(action):
  env = to_dm_env(DeepSea(3))
  env.reset()
  with pytest.raises(ValueError, match="action"):
    env.step(action)


def test_observations_belong_to_the_caller():
  env = to_dm_env(DeepSea(2))
  observation = env.reset().observation
  observation[:] = 7.0
  assert env.step(0).observation.max() == 1.0
