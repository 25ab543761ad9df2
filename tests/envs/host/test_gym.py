"""Any gymnasium environment by its id."""

import math

import numpy as np
import pytest

import envs
from envs.host.conformance import check


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1", "Blackjack-v1"])
def test_ids_of_every_kind_of_space_conform(name):
  check(envs.make(f"gym:{name}"), steps=120)


def test_success_and_length_come_from_the_id():
  env = envs.make("gym:MountainCarContinuous-v0")
  assert (env.success_return, env.max_episode_steps) == (90.0, 999)
  assert env.action_spec().dtype == np.float32
  assert envs.make("gym:Pendulum-v1").success_return == math.inf
  assert envs.make("gym:Pendulum-v1", max_episode_steps=7).max_episode_steps == 7


def test_settings_reach_the_environment():
  env = envs.make("gym:FrozenLake-v1", map_name="8x8")
  assert env.observation_spec().num_values == 64


def test_a_module_before_the_id_is_imported(tmp_path, monkeypatch):
  (tmp_path / "ids_of_a_test.py").write_text(
    "import gymnasium\n"
    "gymnasium.register('MyCart-v0', 'gymnasium.envs.classic_control:CartPoleEnv')\n"
  )
  monkeypatch.syspath_prepend(str(tmp_path))
  assert envs.make("gym:ids_of_a_test:MyCart-v0").observation_spec().shape == (4,)


def test_an_id_that_does_not_exist_is_one_line():
  with pytest.raises(ValueError, match=r"gym:Cartpol-v1: .*CartPole"):
    envs.make("gym:Cartpol-v1")
  with pytest.raises(ValueError, match="gym:no_such_module:X-v0"):
    envs.make("gym:no_such_module:X-v0")
