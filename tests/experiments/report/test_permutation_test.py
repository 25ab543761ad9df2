"""The permutation test, against values worked out by hand and against enumeration."""

import itertools

import numpy as np
import pytest
import scipy.stats

from experiments.report import permutation_test, statistics


def p_value(one, other):
  """Of two bonuses, from their scores in each environment."""
  scores = np.stack([np.transpose(one), np.transpose(other)]).astype(float)
  return permutation_test.p_values(scores)[0, 1]


@pytest.mark.parametrize(
  ("one", "other", "expected"),
  [
    # 2 of the 20 ways to draw 3 of 6 runs are as far apart.
    ([[4, 5, 6]], [[1, 2, 3]], 2 / 20),
    # 2 of 6; in each of two environments, both on the same side: 2 of 36.
    ([[3, 4]], [[1, 2]], 2 / 6),
    ([[3, 4], [3, 4]], [[1, 2], [1, 2]], 2 / 36),
    # Opposite sides cancel: nothing is nearer to a half than a half.
    ([[3, 4], [1, 2]], [[1, 2], [3, 4]], 1.0),
    # Rank sums of two of 1 2 3 4 are 3 4 5 5 6 7; this one is 6, and 3 4 6 7 are as far from 5.
    ([[2, 4]], [[1, 3]], 4 / 6),
    # Ties: ranks 1 2.5 2.5 4; sums of two 3.5 3.5 5 5 6.5 6.5; this one is 6.5.
    ([[2, 3]], [[1, 2]], 4 / 6),
    ([[1, 1, 1]], [[1, 1, 1]], 1.0),
    ([[2]], [[1]], 1.0),
  ],
)
def test_by_hand(one, other, expected):
  assert p_value(one, other) == pytest.approx(expected)
  assert p_value(other, one) == pytest.approx(expected)


def test_every_division_within_environments_is_counted():
  scores = np.random.default_rng(1).random((2, 3, 2)).round(1)
  pool = scores.transpose(2, 0, 1).reshape(2, 6)

  def away(halves):
    divided = [
      [own[list(half)], np.delete(own, list(half))] for own, half in zip(pool, halves, strict=True)
    ]
    shares = statistics.probability_of_improvement(np.transpose(divided, (1, 2, 0)))
    return abs(shares[0, 1] - 0.5)

  observed = away([(0, 1, 2)] * 2)
  all_halves = list(itertools.combinations(range(6), 3))
  found = [away(halves) >= observed - 1e-9 for halves in itertools.product(all_halves, repeat=2)]
  assert permutation_test.p_values(scores)[0, 1] == pytest.approx(np.mean(found))


def test_in_one_environment_it_is_that_of_mann_and_whitney():
  scores = np.random.default_rng(2).random((3, 5, 1))
  found = permutation_test.p_values(scores)
  np.testing.assert_array_equal(found, found.T)
  for i, j in itertools.combinations(range(3), 2):
    expected = scipy.stats.mannwhitneyu(scores[i, :, 0], scores[j, :, 0], method="exact").pvalue
    assert found[i, j] == pytest.approx(expected)


def test_the_same_twice_is_told_to_differ_no_more_often_than_the_level():
  rng = np.random.default_rng(3)
  told = [
    permutation_test.p_values(rng.random((2, 3, 2)))[0, 1] < permutation_test.LEVEL
    for _ in range(1000)
  ]
  assert np.mean(told) < permutation_test.LEVEL + 3 * np.sqrt(0.05 * 0.95 / 1000)


def test_holm_multiplies_by_how_many_are_left_and_never_falls():
  found = permutation_test.holm(np.array([0.03, 0.01, 0.02, 0.5]))
  # In order: 4 x 0.01, 3 x 0.02, 2 x 0.03, 1 x 0.5.
  np.testing.assert_allclose(found, [0.06, 0.04, 0.06, 0.5])
  np.testing.assert_allclose(permutation_test.holm(np.array([0.02, 0.021])), [0.04, 0.04])
  np.testing.assert_allclose(permutation_test.holm(np.array([0.9, 0.8])), [1, 1])
  assert permutation_test.holm(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(("seeds", "envs", "expected"), [(3, 1, 0.1), (3, 3, 0.00025), (1, 2, 0.5)])
def test_complete_separation_is_the_smallest(seeds, envs, expected):
  assert permutation_test.smallest(seeds, envs) == pytest.approx(expected)
  high, low = np.ones((envs, seeds)), np.zeros((envs, seeds))
  noise = np.random.default_rng(4).random((2, envs, seeds)) / 10
  assert p_value(high + noise[0], low + noise[1]) == pytest.approx(expected)
