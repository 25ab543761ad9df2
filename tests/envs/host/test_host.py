"""Environments of a user's own on the host, and libraries that are not installed."""

import inspect
import sys

import numpy as np
import pytest

import envs
from envs.by_name import builder
from envs.host.conformance import check


def test_a_users_gymnasium_environment_conforms_in_every_form(worlds):
  env = envs.make("worlds_of_a_test:Counter", stepping="serial", length=3)
  assert (env.name, env.settings) == (
    "worlds_of_a_test:Counter",
    {"stepping": "serial", "length": 3},
  )
  assert env.max_episode_steps == 50
  assert env.observation_spec().dtype == np.float32


def test_a_users_dm_env_environment_is_seeded_and_conforms(worlds):
  env = envs.make("worlds_of_a_test:Nested", stepping="serial")
  assert env.observation_spec().shape == (5,)
  check(env, steps=20)
  first, again, other = (env.make(seed).reset().observation for seed in (1, 1, 2))
  np.testing.assert_array_equal(first, again)
  assert (first != other).any()
  assert first[-1] == 7  # the order of its own keys


def test_its_settings_can_be_read_off_the_builder(worlds):
  build = builder("worlds_of_a_test:Counter")
  own = ["length", "stepping", "masks", "text_words", "text_length"]
  assert list(inspect.signature(build).parameters) == own


def test_a_wrong_setting_or_way_of_stepping_is_one_line(worlds):
  with pytest.raises(ValueError, match="unexpected keyword argument 'size'"):
    envs.make("worlds_of_a_test:Counter", size=3)
  with pytest.raises(ValueError, match="stepping is 'warp'; expected serial, threads, processes"):
    envs.make("worlds_of_a_test:Counter", stepping="warp")
  with pytest.raises(ValueError, match="built a int, not an Environment"):
    envs.make("worlds_of_a_test:nothing")


@pytest.mark.parametrize(
  ("name", "module", "extra"),
  [
    ("atari/pong", "ale_py", "atari"),
    ("minigrid/Empty-5x5", "minigrid", "minigrid"),
    ("vizdoom/my_way_home_dense", "vizdoom", "vizdoom"),
    ("dm_control/cartpole_swingup", "dm_control", "dm_control"),
    ("bsuite/catch/0", "bsuite", "bsuite"),
    ("craftax/classic", "craftax", "craftax"),
  ],
)
def test_a_library_that_is_not_installed_is_one_line(monkeypatch, name, module, extra):
  for loaded in [m for m in sys.modules if m.partition(".")[0] == module]:
    monkeypatch.delitem(sys.modules, loaded)
  monkeypatch.setitem(sys.modules, module, None)
  with pytest.raises(ValueError, match=rf"pip install 'rarebird\[{extra}\]'$") as error:
    envs.make(name)
  assert "\n" not in str(error.value)
