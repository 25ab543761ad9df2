"""The answer in words."""

import numpy as np

from experiments.report import headline
from experiments.report.results import Cost, Results
from experiments.report.statistics import Estimate

NAN = float("nan")


def results(scores, improvements, bonuses=("none", "a", "b")):
  """From (value, low, high) of each bonus, and of its improvement over the first."""
  improvement = np.full((3, len(bonuses), len(bonuses)), 0.5)
  improvement[:, :, 0] = np.transpose(improvements)
  score = Estimate(*np.transpose(scores))
  return Results(list(bonuses), ["maze"], score, None, score, Estimate(*improvement))


def text(found):
  return " ".join(str(sentence) for sentence in headline.sentences(found, {}))


SAME = (0.5, 0.5, 0.5)


def test_one_that_is_above_all_others_is_said_to_be():
  found = text(results([(0.2, 0.1, 0.3), (0.9, 0.8, 1.0), (0.5, 0.4, 0.6)], [SAME] * 3))
  assert "<strong>a</strong> has the highest interquartile mean score: 0.90" in found
  assert "(95% interval 0.80 to 1.00)" in found
  assert "above that of every other bonus" in found


def test_overlapping_intervals_are_not_told_apart():
  found = text(results([(0.2, 0.1, 0.3), (0.9, 0.8, 1.0), (0.8, 0.7, 0.85)], [SAME] * 3))
  assert "interval of <strong>b</strong> overlaps it" in found
  assert "cannot be told from this data" in found
  assert "the others are behind" in found


def test_when_all_overlap_nothing_can_be_told():
  found = text(results([(0.2, 0.1, 0.9), (0.9, 0.8, 1.0), (0.8, 0.7, 0.85)], [SAME] * 3))
  assert "Every other bonus's interval overlaps it" in found


def test_against_no_bonus_only_intervals_clear_of_a_half_count():
  scores = [(0.5, 0.4, 0.6)] * 4
  improvements = [SAME, (0.9, 0.8, 1.0), (0.6, 0.4, 0.8), (0.2, 0.1, 0.4)]
  found = text(results(scores, improvements, ("none", "a", "b", "c")))
  assert "more often better: <strong>a</strong>;" in found
  assert "more often worse: <strong>c</strong>;" in found
  assert "no difference can be told: <strong>b</strong>." in found


def test_one_seed_tells_nothing():
  found = text(results([(0.2, NAN, NAN), (0.9, NAN, NAN), (0.5, NAN, NAN)], [SAME] * 3))
  assert "one seed only: nothing can be told from chance" in found
  assert "more often" not in found


def test_the_cheapest_and_the_dearest_bonus_are_named():
  found = results([(0.2, 0.1, 0.3), (0.9, 0.8, 1.0), (0.5, 0.4, 0.6)], [SAME] * 3)
  costs = {
    bonus: Cost(1.0, 1.0, 1.0, 1.0, (ratio,) * 3, (1.0,) * 3)
    for bonus, ratio in {"none": 1.0, "a": 1.75, "b": 1.25}.items()
  }
  said = str(headline.sentences(found, costs)[-1])
  assert "from 1.25 (<strong>b</strong>) to 1.75 (<strong>a</strong>) times the time" in said


def test_names_are_escaped():
  assert headline.names(["<b>"]) == "<strong>&lt;b&gt;</strong>"
