"""Which differences between bonuses are more than chance makes.

Two bonuses are compared by the probability of improvement of one over the other. If they did the
same, any half of their runs in an environment could as well be the one's: the p-value is the share
of all such divisions, made in each environment apart, that bring it at least as far from 0.5, on
either side. None is drawn at random: in one environment this is Wilcoxon's rank-sum test, whose
distribution dynamic programming gives, ties included; that of the sum over environments is a
convolution.

Source: van Elteren 1960, On the combination of independent two sample tests of Wilcoxon, with all
environments weighted alike. Correction for many comparisons: Holm 1979.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import scipy.stats

LEVEL = 0.05
"""Below this p-value, corrected, a difference is told."""


def p_values(scores: np.ndarray) -> np.ndarray:
  """Two-sided p-values of every two bonuses, not corrected; [B, B], 1 on the diagonal.

  Args:
    scores: float [B, S, E], of B bonuses with S seeds in E environments.
  """
  found = np.ones((len(scores), len(scores)))
  for i, j in itertools.combinations(range(len(scores)), 2):
    found[i, j] = found[j, i] = _p_value(scores[i], scores[j])
  return found


def _p_value(one: np.ndarray, other: np.ndarray) -> float:
  # Twice the ranks, for a rank that is shared may be a half: all that follows is exact.
  ranks = (2 * scipy.stats.rankdata(np.concatenate([one, other]), axis=0)).astype(int)
  sums = functools.reduce(np.convolve, map(_rank_sums, ranks.T))
  away = abs(np.arange(len(sums)) - ranks.sum() // 2)
  return float(min(sums[away >= away[ranks[: len(one)].sum()]].sum(), 1.0))


def _rank_sums(ranks: np.ndarray) -> np.ndarray:
  """How likely each sum is, from 0 up, of a half of these 2S integers drawn at random."""
  seeds = len(ranks) // 2
  ways = np.zeros((seeds + 1, ranks.sum() + 1))
  ways[0, 0] = 1
  for rank in ranks:
    ways[1:, rank:] += ways[:-1, :-rank]
  return ways[seeds] / math.comb(2 * seeds, seeds)


def holm(p: np.ndarray) -> np.ndarray:
  """P-values corrected for there being N of them; [N] each."""
  order = np.argsort(p)
  corrected = np.empty_like(p)
  steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
  corrected[order] = np.minimum(steps, 1.0)
  return corrected


def smallest(seeds: int, envs: int) -> float:
  """The p-value of a bonus whose every run outdoes all of another's: none can be lower."""
  return 2 / math.comb(2 * seeds, seeds) ** envs
