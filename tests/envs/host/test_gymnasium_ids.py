"""gymnasium's ids: found beside us, or told how we spell them."""

import sys
from pathlib import Path

import pytest

import envs
from envs.environment import registry
from envs.host import gymnasium_ids
from envs.own_modules import UnknownNameError

TESTS = Path(__file__).parents[2]


def test_a_module_before_an_id_is_found_in_the_working_directory(monkeypatch):
  monkeypatch.setattr(sys, "path", [p for p in sys.path if Path(p).resolve() != TESTS])
  monkeypatch.delitem(sys.modules, "quirks", raising=False)
  monkeypatch.chdir(TESTS)
  env = envs.make("gym:quirks:Quirk-v0", stepping="serial")
  assert (env.observation_spec().shape, env.max_episode_steps) == ((3,), 10)


def test_pictures_of_an_id_are_seen_as_those_of_a_class(monkeypatch):
  monkeypatch.chdir(TESTS)
  env = envs.make("gym:quirks_spaces:QuirkSpaces-v0", stepping="serial")
  assert env.observation_spec().shape == (16, 20, 3)


def test_a_module_that_is_nowhere_is_one_line():
  with pytest.raises(
    ValueError, match="gym:no_such_module:X-v0: cannot import module 'no_such_mod"
  ):
    envs.make("gym:no_such_module:X-v0")


@pytest.mark.parametrize(
  ("library", "id", "words"),
  [
    (
      "ale_py",
      "ALE/Pong-v5",
      "Write atari/pong: .*frame skip 4, sticky actions with probability .25",
    ),
    ("ale_py", "MontezumaRevengeNoFrameskip-v4", "Write atari/montezuma_revenge: "),
    ("minigrid", "MiniGrid-Empty-5x5-v0", "Write minigrid/Empty-5x5: "),
    ("minigrid", "MiniGrid-MultiRoom-N4-S5-v1", "Write minigrid/MultiRoom-N4-S5-v1: "),
    ("minigrid", "BabyAI-GoToRedBall-v0", "Write minigrid/BabyAI-GoToRedBall: .*mission=ignored"),
    ("vizdoom", "VizdoomMyWayHome-v1", "Write vizdoom/my_way_home_dense: "),
    ("dm_control", "dm_control/point_mass-easy-v0", "Write dm_control/point_mass_easy: "),
    ("gymnasium_robotics", "PointMaze_UMaze-v3", "Write gymnasium_robotics/PointMaze_UMaze-v3: "),
  ],
)
def test_ids_of_our_families_are_told_how_we_spell_them(library, id, words):
  pytest.importorskip(library)
  with pytest.raises(ValueError, match=words) as error:
    envs.make(f"gym:{id}")
  assert str(error.value).startswith(f"gym:{id}")
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  ("library", "id", "leaves"),
  [
    ("minigrid", "minigrid:MiniGrid-Empty-5x5-v0", {"image", "vector"}),
    ("minigrid", "minigrid:BabyAI-GoToRedBall-v0", {"image", "mission", "vector"}),
    ("vizdoom", "VizdoomBasic-v1", {"screen", "vector"}),
  ],
)
def test_what_shows_pictures_and_numbers_or_text_is_a_dict_of_leaves(library, id, leaves):
  pytest.importorskip(library)
  assert set(envs.make(f"gym:{id}", stepping="serial").observation_spec()) == leaves


def test_gymnasiums_own_atari_plays_where_its_module_is_named():
  pytest.importorskip("ale_py")
  env = envs.make("gym:ale_py:ALE/Pong-v5", stepping="serial")
  assert env.observation_spec().shape == (210, 160, 3)


def test_what_we_spell_is_there():
  pytest.importorskip("minigrid")
  pytest.importorskip("ale_py")
  for id in ("ALE/Pong-v5", "MiniGrid-DoorKey-5x5-v0", "MiniGrid-ObstructedMaze-2Q-v1"):
    registry.get(gymnasium_ids.ours(id)[0])


@pytest.mark.parametrize(
  ("name", "spelling"),
  [
    ("CartPole-v1", "gym:CartPole-v1"),
    ("Cartpole-v1", "gym:CartPole-v1"),
    ("ALE/Pong-v5", "atari/pong"),
    ("MiniGrid-Empty-5x5-v0", "minigrid/Empty-5x5"),
    ("dm_control/walker-walk-v0", "dm_control/walker_walk"),
    ("VizdoomBasic-v1", "gym:VizdoomBasic-v1"),
  ],
)
def test_an_id_without_its_prefix_is_told_how_to_write_it(name, spelling):
  if name.startswith(("ALE/", "dm_control/")):
    pytest.importorskip({"ALE": "ale_py"}.get(name.partition("/")[0], "dm_control"))
  with pytest.raises(UnknownNameError, match=rf"did you mean {spelling}\?"):
    envs.make(name)
