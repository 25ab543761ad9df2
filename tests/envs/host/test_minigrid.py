"""MiniGrid: symbols as categories, pictures, success."""

import numpy as np
import pytest
from dm_env import specs

import envs
from envs.host.conformance import check

pytest.importorskip("minigrid")


def test_symbols_are_categories_of_one_cell_each():
  env = envs.make("minigrid/DoorKey-5x5", stepping="serial")
  spec = env.observation_spec()
  assert isinstance(spec, specs.BoundedArray)
  assert (spec.shape, spec.dtype, spec.minimum, spec.maximum) == ((7, 7, 3), np.int32, 0, 10)
  assert env.cell_pixels == 1
  assert env.max_episode_steps == 250
  check(env, steps=300)


def test_the_goal_is_a_success():
  env = envs.make("minigrid/Empty-5x5")
  one = env.make(0)
  one.reset()
  forward, right = 2, 1
  for action in (forward, forward, right, forward):
    assert one.step(action).reward == 0
  last = one.step(forward)
  assert (last.last(), last.discount) == (True, 0.0)
  assert last.reward > env.success_return


def test_pictures_are_an_option():
  env = envs.make("minigrid/Empty-5x5", pixels=True)
  assert (env.observation_spec().shape, env.observation_spec().dtype) == ((56, 56, 3), np.uint8)
  assert env.cell_pixels == 8
  assert env.make(0).reset().observation.max() > 0


def test_an_id_that_does_not_exist_hints_at_the_nearest():
  with pytest.raises(ValueError, match="did you mean minigrid/DoorKey-"):
    envs.make("minigrid/DoorKey")


def test_a_mission_that_never_changes_is_left_out_and_the_notes_say_so():
  (note,) = envs.make("minigrid/Empty-5x5").notes
  assert "neither the mission, always 'get to the green goal square', nor the direction" in note


@pytest.mark.parametrize("id", ["GoToDoor-5x5", "KeyCorridorS3R1", "BabyAI-GoToRedBall"])
def test_a_mission_that_differs_is_refused_unless_it_is_to_be_ignored(id):
  with pytest.raises(ValueError, match=r"its mission differs from .* --env-args mission=ignored"):
    envs.make(f"minigrid/{id}")
  env = envs.make(f"minigrid/{id}", mission="ignored", stepping="serial")
  assert "which differs from episode to episode" in env.notes[0]
  check(env, steps=20)


def test_a_mission_is_ignored_or_not():
  with pytest.raises(ValueError, match="mission is 'read'; expected 'ignored'"):
    envs.make("minigrid/Empty-5x5", mission="read")
