"""The time that is left."""

import pytest

from experiments.compare.remaining import Part, seconds_left, share


def test_nothing_is_said_before_anything_is_timed():
  assert seconds_left([Part("run", "a", "e", 10)]) is None


def test_share_counts_points():
  assert share([Part("run", "a", "e", 10, done=5), Part("run", "b", "e", 30)]) == 0.125


def test_time_left_comes_from_the_nearest_pace_and_the_same_kind_of_part():
  tuned = Part("tuning", "a", "e", 5, done=5, timed=5, seconds=10.0, wall=30.0, finished=True)
  other = Part("tuning", "b", "f", 5, done=5, timed=5, seconds=30.0, wall=70.0, finished=True)
  running = Part("run", "a", "e", 20, done=10, timed=10, seconds=20.0, wall=25.0)
  parts = [tuned, other, running, Part("run", "c", "e", 20), Part("tuning", "d", "g", 10)]
  # All else took 20 and 40 s; no run has been finished, so theirs is taken for it too.
  left = 10 * 2.0 + (30.0 - 5.0)  # what is under way, at its own pace
  left += 20 * 2.0 + 30.0  # another bonus in its environment
  left += 10 * (60.0 / 20) + 30.0  # an environment not seen yet: the mean pace of all
  assert seconds_left(parts) == pytest.approx(left)


def test_what_an_earlier_process_finished_says_nothing_of_this_one():
  before = Part("run", "a", "e", 10, done=10, finished=True)
  running = Part("run", "b", "e", 10, done=4, timed=4, seconds=8.0, wall=9.0)
  assert seconds_left([before, running]) == pytest.approx(12.0)
