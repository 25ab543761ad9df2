"""Aggregates and costs of a comparison."""

import numpy as np
import pytest

from experiments.report.data import Comparison
from experiments.report.results import Scale, aggregate, cost

pytestmark = pytest.mark.usefixtures("few_resamples")
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
  cells = {(bonus, env) for bonus in bonuses for env in ENVS}
  return Comparison(
    {}, "bonus", "none", list(bonuses), ENVS, SEEDS, cells, {}, finals, {}, [], {}, {}
  )


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
  assert found.variants == bonuses
  assert found.envs == envs
  expected = [0.1 * BONUSES.index(bonus) + 0.005 for bonus in bonuses]
  np.testing.assert_allclose(found.means, np.transpose([expected] * len(envs)))
  assert found.order() == list(range(len(bonuses)))[::-1]
  assert found.area is None


def of(scores, maps, cells=None):
  """A comparison from {bonus: {env: scores of its seeds}}."""
  finals = {
    (bonus, env): {seed: {"score": x, "auc": x / 2} for seed, x in enumerate(runs)}
    for bonus, own in scores.items()
    for env, runs in own.items()
  }
  envs = list(dict.fromkeys(env for _, env in finals))
  seeds = list(range(max(len(runs) for runs in finals.values())))
  pairs = {(bonus, env) for bonus in scores for env in envs}
  return Comparison(
    {}, "bonus", "none", list(scores), envs, seeds, cells or pairs, {}, finals, {}, [], maps, {}
  )


def test_scores_are_normalised_in_each_environment_before_they_are_pooled():
  # maze: 0.2 to 0.6, where optimal play is; chain: 0 to 0.05, the highest mean.
  maps = {"maze": {"reference": {"random": 0.2, "optimal": 0.6}}, "chain": {"metric": "return"}}
  found = aggregate(
    of(
      {
        "a": {"maze": [0.3, 0.5], "chain": [0.04, 0.06]},
        "b": {"maze": [0.2] * 2, "chain": [0.01] * 2},
      },
      maps,
    )
  )
  # a: 0.25, 0.75, 0.8, 1.2, of which the middle two; b: 0, 0, 0.2, 0.2.
  np.testing.assert_allclose(found.score.value, [0.775, 0.1])
  # Areas are half as high: (0.15 - 0.2) / 0.4, 0.05 / 0.4, 0.4, 0.6; -0.25 twice, 0.1 twice.
  np.testing.assert_allclose(found.area.value, [(0.125 + 0.4) / 2, (-0.25 + 0.1) / 2])
  np.testing.assert_allclose(found.means, [[0.4, 0.05], [0.2, 0.01]])
  assert found.scales["maze"] == Scale(0.2, 0.6, random_known=True, optimal_known=True)
  assert not found.scales["chain"].random_known
  assert not found.scales["chain"].optimal_known


def test_where_no_bonus_is_above_random_play_nothing_is_stretched():
  maps = {"maze": {"reference": {"random": 0.3, "optimal": None}}}
  found = aggregate(of({"a": {"maze": [0.1, 0.1]}, "b": {"maze": [0.3, 0.3]}}, maps))
  np.testing.assert_allclose(found.score.value, [-0.2, 0.0])


def test_few_environments_are_ordered_by_rank_and_many_by_interquartile_mean():
  # a is far ahead in one environment and just behind in the others.
  scores = {
    "a": {"0": [1.0, 1.0], "1": [0.9, 0.9], "2": [0.4, 0.4], "3": [0.9, 0.9]},
    "b": {"0": [0.1, 0.1], "1": [0.3, 0.3], "2": [0.5, 0.5], "3": [1.0, 1.0]},
  }
  maps = {env: {"reference": {"random": 0.0, "optimal": 1.0}} for env in "0123"}
  assert aggregate(of(scores, maps)).order() == [0, 1]
  three = {bonus: {env: own[env] for env in "123"} for bonus, own in scores.items()}
  found = aggregate(of(three, maps))
  assert found.few
  assert found.order() == [1, 0]


def test_a_bonus_that_does_not_apply_somewhere_is_left_out_and_not_the_environment():
  cells = {("none", "maze"), ("none", "chain"), ("a", "maze")}
  runs = {"maze": [0.1, 0.2], "chain": [0.3, 0.4]}
  found = aggregate(of({"none": runs, "a": {"maze": [0.5, 0.6]}}, {}, cells))
  assert (found.variants, found.envs) == (["none"], ["maze", "chain"])


def test_what_chance_brings_is_not_told_to_differ():
  """Three seeds in one environment tell nothing apart; in three environments they do."""
  level = {"none": 0.1, "a": 0.5, "b": 0.9}
  scores = {
    bonus: {env: [x, x + 0.01, x + 0.02] for env in ("maze", "chain", "cave")}
    for bonus, x in level.items()
  }
  one = {bonus: {"maze": own["maze"]} for bonus, own in scores.items()}
  assert not aggregate(of(one, {})).differs().any()
  found = aggregate(of(scores, {}))
  np.testing.assert_array_equal(found.differs(), ~np.eye(3, dtype=bool))
  np.testing.assert_array_equal(found.differs_from(0), [False, True, True])
