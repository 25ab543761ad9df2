"""Aggregates and costs of a comparison."""

import numpy as np
import pytest

from experiments.report.data import Comparison
from experiments.report.results import aggregate, cost

BONUSES, ENVS, SEEDS = ["none", "a", "b"], ["maze", "chain"], [0, 1]
SECONDS = {"none": (10.0, 40.0), "a": (20.0, 320.0), "b": (15.0, 60.0)}


def comparison(bonuses=BONUSES, lacking=()):
  finals = {
    (bonus, env): {
      seed: {
        "score": 0.1 * BONUSES.index(bonus) + 0.01 * seed,
        "seconds": SECONDS[bonus][i],
        "memory_bytes": 100.0 * (1 + BONUSES.index(bonus)),
      }
      for seed in SEEDS
      if (bonus, env, seed) not in lacking
    }
    for bonus in bonuses
    for i, env in enumerate(ENVS)
  }
  return Comparison({}, list(bonuses), ENVS, SEEDS, {}, finals, {}, [], {})


def test_cost_is_a_geometric_mean_of_ratios_within_environments():
  found = cost(comparison(), "a")
  np.testing.assert_allclose(found.time, [np.sqrt(2 * 8), 2, 8])
  np.testing.assert_allclose(found.memory, [2, 2, 2])
  assert found.seconds == 340
  assert np.isnan(found.compile_seconds)


def test_without_a_baseline_there_are_no_ratios():
  assert np.isnan(cost(comparison(["a", "b"]), "a").time).all()


def test_a_bonus_without_runs_has_no_cost():
  assert cost(comparison(["a"]), "b") is None


@pytest.mark.parametrize(
  ("lacking", "bonuses", "envs"),
  [
    ([], BONUSES, ENVS),
    ([("a", "maze", 1)], ["none", "b"], ENVS),
    ([(bonus, "chain", 0) for bonus in BONUSES], BONUSES, ["maze"]),
  ],
  ids=["whole", "a seed lacks", "an environment lacks"],
)
def test_aggregates_are_of_what_has_every_seed(lacking, bonuses, envs):
  found = aggregate(comparison(lacking=lacking))
  assert found.bonuses == bonuses
  assert found.envs == envs
  expected = [0.1 * BONUSES.index(bonus) + 0.005 for bonus in bonuses]
  np.testing.assert_allclose(found.score.value, expected)
  assert found.order() == list(range(len(bonuses)))[::-1]
  assert found.area is None
