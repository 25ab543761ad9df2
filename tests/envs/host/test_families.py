"""ViZDoom, the DeepMind Control Suite and bsuite: a few steps of each."""

import numpy as np
import pytest

import envs
from envs.environment import LAST
from envs.host.conformance import check
from envs.host.vector import vector


@pytest.mark.parametrize(
  ("variant", "places"),
  [("sparse", {(240, -176)}), ("very_sparse", {(544, -672)}), ("dense", None)],
)
def test_my_way_home_spawns_where_the_paper_does(tmp_path, monkeypatch, variant, places):
  pytest.importorskip("vizdoom")
  monkeypatch.chdir(tmp_path)
  game = envs.make(f"vizdoom/my_way_home_{variant}").make(1)
  found = set()
  for _ in range(6):
    game.reset()
    found.add(tuple(np.rint(game._env.position()).astype(int).tolist()))
  game.close()
  assert found == places if places else len(found) > 2
  assert not list(tmp_path.iterdir())


def test_my_way_home_is_cut_off_after_525_steps():
  pytest.importorskip("vizdoom")
  env = envs.make("vizdoom/my_way_home_sparse", stepping="serial")
  assert (env.observation_spec().shape, env.action_spec().num_values) == ((84, 84, 4), 4)
  with vector(env, 1, 0) as one:
    one.reset()
    kinds = [int(one.step(np.zeros(1, np.int32)).step_type[0]) for _ in range(525)]
    now = one.step(np.zeros(1, np.int32))
  assert kinds.index(LAST) == 524
  assert now.discount[0] == 1


def test_control_suite_observations_are_flat_and_actions_bounded():
  pytest.importorskip("dm_control")
  env = envs.make("dm_control/point_mass_easy", stepping="serial")
  assert env.observation_spec().shape == (4,)
  assert (env.action_spec().shape, env.action_spec().dtype) == ((2,), np.float32)
  assert env.max_episode_steps == 1000
  check(env, num_envs=2, steps=10)
  with pytest.raises(ValueError, match="did you mean dm_control/point_mass_easy"):
    envs.make("dm_control/point_mass_eas")


@pytest.mark.parametrize(
  "name", ["catch/0", "deep_sea/0", "memory_len/3", "umbrella_length/0", "mountain_car/0"]
)
def test_bsuite_conforms(name):
  pytest.importorskip("bsuite")
  check(envs.make(f"bsuite/{name}"), steps=40)
