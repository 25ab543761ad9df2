"""What random play and the oracle score at each level, and scores between the two.

Measured by `python -m envs.first_person.labyrinth.measure` on training maps: 1,000 episodes each,
and 200 from rank 15 on.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from envs.environment import Reference
from envs.first_person.labyrinth import table


class Row(NamedTuple):
  """Means over the episodes of a level: returns, returns discounted by .99 a step, and steps."""

  random: float
  random_discounted: float
  random_length: float
  oracle: float
  oracle_discounted: float
  oracle_length: float


TABLE: dict[str, Row] = {
  "rooms_collect_good_objects": Row(-0.03, 0.02, 591.94, 9.98, 6.07, 116.83),
  "rooms_exploit_deferred_effects": Row(4.54, 0.67, 598.25, 35.69, 23.27, 248.24),
  "rooms_select_nonmatching_object": Row(0.19, 0.08, 300.00, 149.81, 44.28, 300.00),
  "rooms_watermaze": Row(3.29, 0.42, 1200.00, 240.11, 18.51, 1200.00),
  "rooms_keys_doors_puzzle": Row(0.76, 0.28, 600.00, 53.99, 19.58, 111.65),
  "language_select_described_object": Row(0.15, 0.17, 600.00, 524.90, 84.50, 600.00),
  "language_select_located_object": Row(-55.05, -5.32, 1200.00, 378.84, 29.67, 1200.00),
  "language_execute_random_task": Row(-55.93, -5.06, 1200.00, 497.04, 39.76, 1200.00),
  "language_answer_quantitative_question": Row(-0.06, -0.14, 600.00, 318.22, 49.89, 600.00),
  "lasertag_one_opponent_small": Row(0.24, 0.03, 1200.00, 65.15, 5.08, 1200.00),
  "lasertag_three_opponents_small": Row(0.82, 0.10, 1200.00, 111.44, 8.96, 1200.00),
  "lasertag_one_opponent_large": Row(0.14, 0.02, 1200.00, 34.15, 2.53, 1200.00),
  "lasertag_three_opponents_large": Row(0.44, 0.06, 1200.00, 71.64, 5.60, 1200.00),
  "natlab_fixed_large_map": Row(4.96, 0.65, 1200.00, 24.00, 8.68, 1200.00),
  "natlab_varying_map_regrowth": Row(3.76, 0.46, 1200.00, 20.00, 5.60, 1200.00),
  "natlab_varying_map_randomized": Row(3.90, 0.54, 1200.00, 20.00, 7.68, 1200.00),
  "skymaze_irreversible_path_hard": Row(7.00, 0.30, 585.25, 100.00, 45.83, 81.14),
  "skymaze_irreversible_path_varied": Row(21.00, 0.64, 568.62, 100.00, 53.13, 66.27),
  "psychlab_arbitrary_visuomotor_mapping": Row(14.97, 1.76, 828.75, 60.00, 34.85, 120.00),
  "psychlab_continuous_recognition": Row(39.93, 2.81, 1316.90, 80.00, 39.79, 160.00),
  "psychlab_sequential_comparison": Row(25.98, 1.57, 1499.94, 60.00, 6.01, 932.25),
  "psychlab_visual_search": Row(39.95, 3.00, 1318.30, 80.00, 39.79, 160.00),
  "explore_object_locations_small": Row(2.23, 0.49, 900.00, 56.34, 6.43, 900.00),
  "explore_object_locations_large": Row(2.07, 0.41, 1200.00, 46.60, 4.90, 1200.00),
  "explore_obstructed_goals_small": Row(4.40, 0.83, 900.00, 326.05, 32.94, 900.00),
  "explore_obstructed_goals_large": Row(1.25, 0.16, 1200.00, 169.60, 11.79, 1200.00),
  "explore_goal_locations_small": Row(3.75, 0.65, 900.00, 278.55, 28.73, 900.00),
  "explore_goal_locations_large": Row(1.05, 0.09, 1200.00, 166.45, 10.98, 1200.00),
  "explore_object_rewards_few": Row(1.06, 0.14, 900.00, 94.09, 9.89, 900.00),
  "explore_object_rewards_many": Row(1.28, 0.18, 900.00, 109.14, 11.78, 900.00),
}


def score(level: str, episode_return: float) -> float:
  """A return of a level as a share of the way from random play to the oracle; may exceed 1.

  Raises:
    KeyError: for a level that there is not.
  """
  row = TABLE[level]
  return (episode_return - row.random) / (row.oracle - row.random)


def split_score(returns: dict[str, float], ranks: np.ndarray) -> float:
  """The mean score of a split, each level's counted as 1 at most.

  Args:
    returns: of each level that the split draws.
    ranks: probabilities of the levels in the order of `table.NAMES`, [30].
  """
  shares = dict(zip(table.NAMES, ranks.tolist(), strict=True))
  return sum(share * min(score(n, returns[n]), 1.0) for n, share in shares.items() if share)


def oracle(levels: np.ndarray) -> Reference:
  """The oracle's means where levels are drawn with these probabilities, [30].

  Success, which is not defined here, is NaN.
  """
  rows = np.array([TABLE[name] for name in table.NAMES])
  means = levels @ rows
  return Reference(math.nan, *(float(means[column]) for column in (3, 5, 4)))
