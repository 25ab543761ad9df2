"""What is said of the environments of a comparison."""

import numpy as np
import pytest

from envs import make
from experiments.compare import worlds


def test_an_environment_with_reward_has_random_and_optimal_success():
  entry = worlds.describe(make("deep_sea", size=3), 100, 8)
  assert entry["metric"] == "success"
  assert entry["reference"]["random"] == pytest.approx(1 / 8, abs=0.02)
  assert entry["reference"]["optimal"] == 1.0
  assert (entry["rows"], entry["columns"]) == (3, 3)
  assert len(entry["reachable"]) == len(entry["rooms"]) == 9


def test_random_coverage_grows_with_the_steps_from_the_one_place_where_all_begin():
  env = make("maze/nine_rooms", max_episode_steps=50)
  few, many = (worlds.describe(env, steps, 8)["reference"]["random"] for steps in (8, 800))
  assert few == pytest.approx(1 / np.sum(env.places().reachable))
  assert few < many < 1.0


def test_an_environment_without_places_has_no_map():
  entry = worlds.describe(make("probe/constant_reward"), 100, 8)
  assert set(entry) == {"metric", "reference"}
