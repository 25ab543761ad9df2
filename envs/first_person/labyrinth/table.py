"""The thirty levels, commonest first, as rows of one table of numbers.

Order and seconds an episode are those of google-deepmind/zipfian_environments, labyrinth; a second
is ten steps. Where another number of steps is given it is ours, shorter for the sake of CPUs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

FORAGE, GOAL, SKY, LANGUAGE, DEFERRED, NONMATCH, KEYS, TAG, PSYCHLAB = range(9)
"""Families: how the things of a level are drawn. What they do is told by the things."""


class Level(NamedTuple):
  """A level, of numbers, or all of them, of arrays [30].

  Attributes:
    family: one of the constants above.
    steps: an episode is cut off after so many.
    things: things that are drawn, at most 24.
    good: those of them that are worth picking up.
    gain, loss: what a good one and a bad one pay.
    pickups: so many end the episode; 0 for no such end.
    returns: whether all things return, and the agent is moved, when the last good one is gone.
    regrow: steps after which a thing returns by itself; 0 for never.
  """

  family: Any
  steps: Any
  things: Any
  good: Any
  gain: Any
  loss: Any = 0.0
  pickups: Any = 0
  returns: Any = False
  regrow: Any = 0


LEVELS = {
  "rooms_collect_good_objects": Level(FORAGE, 600, 20, 10, 1, -1, pickups=10),
  "rooms_exploit_deferred_effects": Level(DEFERRED, 600, 11, 10, 10, -3, pickups=10),
  "rooms_select_nonmatching_object": Level(NONMATCH, 300, 4, 1, 10, -10),
  "rooms_watermaze": Level(GOAL, 1200, 1, 1, 1),
  "rooms_keys_doors_puzzle": Level(KEYS, 600, 8, 8, 1),
  "language_select_described_object": Level(LANGUAGE, 600, 2, 1, 10, -10),
  "language_select_located_object": Level(LANGUAGE, 1200, 12, 1, 10, -10),
  "language_execute_random_task": Level(LANGUAGE, 1200, 10, 1, 10, -10),
  "language_answer_quantitative_question": Level(LANGUAGE, 600, 12, 1, 10, -10),
  "lasertag_one_opponent_small": Level(TAG, 1200, 1, 0, 1),
  "lasertag_three_opponents_small": Level(TAG, 1200, 3, 0, 1),
  "lasertag_one_opponent_large": Level(TAG, 1200, 1, 0, 1),
  "lasertag_three_opponents_large": Level(TAG, 1200, 3, 0, 1),
  "natlab_fixed_large_map": Level(FORAGE, 1200, 24, 24, 1),
  "natlab_varying_map_regrowth": Level(FORAGE, 1200, 10, 10, 1, regrow=600),
  "natlab_varying_map_randomized": Level(FORAGE, 1200, 20, 20, 1),
  "skymaze_irreversible_path_hard": Level(SKY, 600, 1, 1, 100),
  "skymaze_irreversible_path_varied": Level(SKY, 600, 1, 1, 100),
  "psychlab_arbitrary_visuomotor_mapping": Level(PSYCHLAB, 1500, 5, 0, 1, pickups=60),
  "psychlab_continuous_recognition": Level(PSYCHLAB, 1500, 3, 0, 1, pickups=80),
  "psychlab_sequential_comparison": Level(PSYCHLAB, 1500, 6, 0, 1, pickups=60),
  "psychlab_visual_search": Level(PSYCHLAB, 1500, 10, 0, 1, pickups=80),
  "explore_object_locations_small": Level(FORAGE, 900, 8, 8, 1, returns=True),
  "explore_object_locations_large": Level(FORAGE, 1200, 18, 18, 1, returns=True),
  "explore_obstructed_goals_small": Level(GOAL, 900, 1, 1, 10),
  "explore_obstructed_goals_large": Level(GOAL, 1200, 1, 1, 10),
  "explore_goal_locations_small": Level(GOAL, 900, 1, 1, 10),
  "explore_goal_locations_large": Level(GOAL, 1200, 1, 1, 10),
  "explore_object_rewards_few": Level(FORAGE, 900, 4, 2, 2, -1, returns=True),
  "explore_object_rewards_many": Level(FORAGE, 900, 8, 4, 2, -1, returns=True),
}
NAMES = tuple(LEVELS)
COUNT = len(NAMES)
TABLE = Level(*(np.array(column) for column in zip(*LEVELS.values(), strict=True)))

COLLECT, WATERMAZE, KEYS_DOORS = 0, 3, 4
DESCRIBED, LOCATED, RANDOM_TASK, QUESTION = 5, 6, 7, 8
FIXED_MAP, REGROWTH, RANDOMIZED = 13, 14, 15
SKY_HARD, SKY_VARIED = 16, 17
MAPPING, RECOGNITION, COMPARISON, SEARCH = 18, 19, 20, 21
OBSTRUCTED = (24, 25)
KINDS = (28, 29)
"""Levels by their index, from 0, where a rule is that of one."""


def index(name: str) -> int:
  """The index of a level, from 0; ValueError for any other name."""
  return NAMES.index(name)
