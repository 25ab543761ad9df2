"""MiniGrid: symbols as categories, pictures, success."""

import numpy as np
import pytest

import envs
from envs.adapters.text import split
from envs.host.conformance import check
from envs.observation import Cells

pytest.importorskip("minigrid")


def test_symbols_are_categories_of_one_cell_each():
  env = envs.make("minigrid/DoorKey-5x5", stepping="serial")
  spec = env.observation_spec()
  assert isinstance(spec, Cells)
  assert (spec.shape, spec.dtype, spec.minimum, spec.maximum) == ((7, 7, 3), np.int32, 0, 10)
  assert spec.side == 1
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
  spec = env.observation_spec()
  assert (spec.shape, spec.dtype, spec.side) == ((56, 56, 3), np.uint8, 8)
  assert env.make(0).reset().observation.max() > 0


def test_an_id_that_does_not_exist_hints_at_the_nearest():
  with pytest.raises(ValueError, match="did you mean minigrid/DoorKey-"):
    envs.make("minigrid/DoorKey")


def test_a_mission_that_never_changes_is_left_out_and_the_notes_say_so():
  (note,) = envs.make("minigrid/Empty-5x5").notes
  assert "neither the mission, always 'get to the green goal square', nor the direction" in note


@pytest.mark.parametrize("id", ["GoToDoor-5x5", "KeyCorridorS3R1", "BabyAI-GoToLocal"])
def test_a_mission_that_differs_is_seen_in_words_all_of_which_are_known(id):
  env = envs.make(f"minigrid/{id}", stepping="serial")
  image, mission = (env.observation_spec()[name] for name in ("image", "mission"))
  assert (image.shape, image.side) == ((7, 7, 3), 1)
  one = env.make(3)
  for _ in range(20):
    timestep, unknown = one.reset(), one.unknown_words()
    said = split(one._env._env.unwrapped.mission)
    shown = [mission.words[i - 1] for i in timestep.observation["mission"] if i]
    assert (shown, unknown) == (said, 0)
  check(env, steps=20)


@pytest.mark.parametrize("id", ["GoToDoor-5x5", "BabyAI-GoToRedBall"])
def test_a_mission_that_differs_is_left_out_where_it_is_to_be_ignored(id):
  env = envs.make(f"minigrid/{id}", mission="ignored", stepping="serial")
  assert env.observation_spec().shape == (7, 7, 3)
  assert "which differs from episode to episode" in env.notes[0]
  check(env, steps=20)


def test_a_mission_is_ignored_or_not():
  with pytest.raises(ValueError, match="mission is 'read'; expected 'ignored'"):
    envs.make("minigrid/Empty-5x5", mission="read")
