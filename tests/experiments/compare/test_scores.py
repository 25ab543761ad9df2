"""Scores, their curves, and coverage."""

import math

import numpy as np
import pytest

from envs import make
from envs.capabilities import Places
from experiments.compare import scores
from experiments.settings.errors import UserError


class World:
  def __init__(self, success_return):
    self.success_return = success_return


class Mapped(World):
  def places(self):
    return PLACES

  def oracle(self, state):
    raise NotImplementedError


PLACES = Places(2, 3, np.array([1, 1, 1, 1, 1, 0], bool), np.array([0, 0, 1, 1, 2, -1], np.int32))


def test_the_metric_goes_by_what_success_takes():
  assert scores.metric(make("deep_sea")) == "success"
  assert scores.metric(World(22.0)) == "return"
  assert scores.metric(Mapped(math.inf)) == "coverage"
  with pytest.raises(UserError, match="nothing tells how well"):
    scores.metric(World(math.inf))


def test_a_curve_holds_its_last_score_where_no_episode_ended():
  rows = [{}, {"episode/success": 0.5}, {}, {"episode/success": 0.25}]
  assert scores.curve(rows, World(1.0)) == [0.0, 0.5, 0.5, 0.25]
  assert scores.area([0.0, 0.5, 0.5, 0.25]) == 0.3125


def test_a_return_is_a_share_between_nothing_and_success():
  rows = [{"episode/return": value} for value in (-1.0, 5.0, 30.0)]
  assert scores.curve(rows, World(20.0)) == [0.0, 0.25, 1.0]


def test_coverage_is_its_own_curve():
  assert scores.curve([{"coverage": 0.1}, {"coverage": 0.3}], Mapped(math.inf)) == [0.1, 0.3]


def test_what_was_covered_against_a_count_by_hand():
  assert scores.covered(np.array([4, 0, 1, 0, 0, 9]), PLACES) == {"coverage": 0.4, "rooms": 2}
  bare = PLACES._replace(rooms=np.full(6, -1, np.int32))
  assert scores.covered(np.zeros(6, int), bare) == {"coverage": 0.0}
