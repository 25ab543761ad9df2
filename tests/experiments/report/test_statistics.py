"""Aggregates and their intervals, against slow versions and SciPy."""

import itertools

import numpy as np
import pytest
import scipy.stats
from rliable import metrics

from experiments.report import statistics


@pytest.fixture
def scores():
  """Four bonuses, five seeds, three environments; rounded, so that some tie."""
  return np.random.default_rng(0).random((4, 5, 3)).round(1)


def test_interquartile_mean_is_that_of_the_middle_half(scores):
  expected = [metrics.aggregate_iqm(of) for of in scores]
  np.testing.assert_allclose(statistics.interquartile_mean(scores), expected)
  twelve = np.arange(12.0).reshape(1, 4, 3)
  assert statistics.interquartile_mean(twelve) == np.mean([3, 4, 5, 6, 7, 8])


def test_probability_of_improvement_counts_pairs_of_runs(scores):
  expected = np.empty((4, 4))
  for i, j in itertools.product(range(4), repeat=2):
    won = [
      (x > y) + 0.5 * (x == y)
      for env in range(3)
      for x, y in itertools.product(scores[i, :, env], scores[j, :, env])
    ]
    expected[i, j] = np.mean(won)
  found = statistics.probability_of_improvement(scores)
  np.testing.assert_allclose(found, expected)
  np.testing.assert_allclose(found + found.T, 1)
  np.testing.assert_allclose(found[0, 1], metrics.probability_of_improvement(scores[0], scores[1]))


def test_mean_rank_shares_the_ranks_of_ties():
  # Means by environment: 0.9 0.5; 0.9 0.1; 0.2 0.3.
  scores = np.array([[0.9, 0.5], [0.9, 0.1], [0.2, 0.3]])[:, None]
  np.testing.assert_allclose(statistics.mean_rank(scores), [1.25, 2.25, 2.5])


def test_interval_of_a_mean_is_that_of_all_resamples():
  runs = np.array([0.1, 0.2, 0.6, 0.9])
  means = [np.mean(drawn) for drawn in itertools.product(runs, repeat=4)]
  found = statistics.estimate(runs[None, :, None], lambda x: x.mean(axis=(1, 2)))
  np.testing.assert_allclose(found.value, [runs.mean()])
  np.testing.assert_allclose(found.low, np.quantile(means, 0.025), atol=0.03)
  np.testing.assert_allclose(found.high, np.quantile(means, 0.975), atol=0.03)


def test_resampling_keeps_environments_and_bonuses_apart():
  # Constant within each bonus and environment: any mixing of them would widen the interval.
  scores = np.broadcast_to(np.random.default_rng(0).random((3, 1, 4)), (3, 5, 4))
  found = statistics.estimate(scores, statistics.mean_rank)
  np.testing.assert_array_equal(found.low, found.value)
  np.testing.assert_array_equal(found.high, found.value)


def test_intervals_repeat_and_leave_the_global_generator_alone(scores):
  np.random.seed(3)  # noqa: NPY002
  expected = np.random.random(2)  # noqa: NPY002
  np.random.seed(3)  # noqa: NPY002
  first = statistics.estimate(scores, statistics.interquartile_mean)
  np.testing.assert_array_equal(np.random.random(2), expected)  # noqa: NPY002
  again = statistics.estimate(scores, statistics.interquartile_mean)
  np.testing.assert_array_equal(first.low, again.low)
  np.testing.assert_array_equal(first.high, again.high)


def test_one_seed_has_no_interval(scores):
  found = statistics.estimate(scores[:, :1], statistics.interquartile_mean)
  assert np.isnan(found.low).all()
  assert np.isnan(found.high).all()


def test_mean_over_seeds_has_the_band_of_scipy():
  values = np.random.default_rng(1).random((6, 4))
  expected = scipy.stats.bootstrap(
    (values,), np.mean, axis=0, method="percentile", n_resamples=20_000, vectorized=True
  ).confidence_interval
  found = statistics.mean_over_seeds(values)
  np.testing.assert_allclose(found.value, values.mean(axis=0))
  np.testing.assert_allclose(found.low, expected.low, atol=0.03)
  np.testing.assert_allclose(found.high, expected.high, atol=0.03)


def test_mean_over_seeds_leaves_out_what_is_missing():
  values = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])
  found = statistics.mean_over_seeds(values)
  np.testing.assert_array_equal(found.value, [2, 5, np.nan])
  np.testing.assert_array_equal(found.low, [1, 5, np.nan])
  np.testing.assert_array_equal(found.high, [3, 5, np.nan])


@pytest.mark.parametrize(
  ("cells", "bonuses", "envs"),
  [
    ("a1 a2 b1 b2", "ab", "12"),
    ("a1 a2 a3 b1 b2 b3 c1", "ab", "123"),
    ("a1 b1 c1 d1 a2", "abcd", "1"),
    ("a1 b2", "a", "1"),
    ("", "", ""),
  ],
  ids=["whole", "bonus under way", "environment under way", "nothing in common", "nothing"],
)
def test_aggregates_keep_the_most_cells_without_a_gap(cells, bonuses, envs):
  found = statistics.largest_rectangle({(cell[0], cell[1]) for cell in cells.split()})
  assert found == (set(bonuses), set(envs))
