"""The answer in words."""

import numpy as np
import pytest

from experiments.report import headline, statistics
from experiments.report.data import Comparison
from experiments.report.results import Cost, Results, aggregate
from experiments.report.statistics import Estimate

pytestmark = pytest.mark.usefixtures("few_resamples")


def results(scores, p=1.0, envs=("maze",), few=True):
  """Of bonuses that have the same score at each of three seeds, {bonus: [score of each env]}."""
  means = np.array([*scores.values()], float)
  table = np.repeat(means[:, None], 3, axis=1)
  envs = [*envs] if few else [*envs, *"bcd"]
  p_values = np.full((len(means), len(means)), p)
  ranks = statistics.mean_rank(table)
  return Results(
    variants=list(scores),
    envs=envs,
    scales={},
    means=means,
    score=exact(statistics.interquartile_mean(table)),
    area=None,
    rank=exact(ranks),
    improvement=exact(statistics.probability_of_improvement(table)),
    p_values=p_values if np.ndim(p) == 0 else np.array(p),
  )


def exact(value):
  return Estimate(value, value, value)


def text(found):
  return " ".join(str(sentence) for sentence in headline.sentences(found, {}))


THREE = {"none": [0.2], "a": [0.9], "b": [0.5]}


def test_the_leader_is_said_to_be_better_only_where_a_test_of_all_pairs_tells():
  # Three pairs: none-a 0.01 counts as 0.03, none-b 0.4 as 0.8, a-b 0.03 as 0.06.
  found = text(results(THREE, [[1, 0.01, 0.4], [0.01, 1, 0.03], [0.4, 0.03, 1]]))
  assert "<strong>a</strong> has the best mean rank: 1.0 (95% interval 1.00 to 1.00)." in found
  assert "In a test of all pairs <strong>a</strong> is more often better than" in found
  assert "than <strong>none</strong>; nothing can be told against <strong>b</strong>." in found


def test_a_leader_that_no_test_tells_apart_leads_by_chance_for_all_one_knows():
  found = text(results(THREE, 0.02))  # 0.06 when corrected for three pairs
  assert "Nothing can be told from this data of which bonus is best." in found
  assert "better than" not in found


def test_against_no_bonus_only_what_a_test_tells_counts():
  p = np.ones((4, 4))
  p[0] = p[:, 0] = [1, 0.01, 0.04, 0.02]  # corrected for three: 0.03, 0.04, 0.04
  scores = {"none": [0.5], "a": [0.9], "b": [0.6], "c": [0.2]}
  found = text(results(scores, p))
  assert "more often better: <strong>a</strong> and <strong>b</strong>;" in found
  assert "more often worse: <strong>c</strong>." in found
  p[0, 2] = p[2, 0] = 0.06
  found = text(results(scores, p))
  assert "more often better: <strong>a</strong>;" in found
  assert "nothing can be told: <strong>b</strong>." in found


def test_those_that_share_the_best_rank_are_named_together():
  found = text(results({"none": [0.2, 0.3], "a": [0.9, 0.5], "b": [0.8, 0.7]}, envs=("x", "y")))
  assert "<strong>b</strong> and <strong>a</strong> share the best mean rank: 1.5" in found


def test_few_environments_are_told_one_by_one_before_the_aggregate():
  found = text(results({"none": [0.2, 0.7], "a": [0.9, 0.5]}, envs=("maze", "chain")))
  assert (
    "Highest mean score: <strong>a</strong> in maze (0.90; none 0.20),"
    " <strong>none</strong> in chain (0.70)." in found
  )
  assert found.index("Highest mean score") < found.index("interquartile mean")


def test_many_environments_are_led_by_the_interquartile_mean():
  found = text(results({bonus: x * 4 for bonus, x in THREE.items()}, few=False))
  assert "<strong>a</strong> has the highest interquartile mean of normalised scores: 0.90" in found
  assert "mean rank" not in found


def test_one_bonus_is_compared_with_nothing():
  found = text(results({"a": [0.9]}))
  assert "Only <strong>a</strong> has finished." in found
  assert "<strong>a</strong> in maze (0.90)" in found
  assert "best" not in found


def notes(bonuses=("none", "a"), envs=("maze",), seeds=3, agent=None, cells=None, revisiting=()):
  pairs = {(bonus, env) for bonus in bonuses for env in envs}
  cells = pairs if cells is None else cells
  finals = {cell: {seed: {"score": 0.5} for seed in range(seeds)} for cell in cells}
  data = Comparison(
    {"agent": agent or {}, "revisiting": [*revisiting]},
    "bonus",
    "none",
    [*bonuses],
    [*envs],
    [*range(seeds)],
    cells,
    {},
    finals,
    {},
    [],
    {},
    {},
  )
  return " ".join(headline.notes(data, aggregate(data)))


def test_it_is_said_when_so_few_seeds_can_tell_nothing():
  found = notes(("none", *"abc"))
  assert (
    "With 3 seeds in 1 environment no test of two bonuses can give a p-value below 0.1" in found
  )
  assert "0.6 for all pairs (6) and 0.3 for those with no bonus (3)" in found
  assert "p-value" not in notes(envs=("maze", "chain"))


def test_the_auxiliary_loss_is_told():
  bonuses = ("none", "byol_explore", "rnd", "ndigo")
  found = notes(bonuses, agent={"auxiliary": "none"})
  assert "byol_explore and ndigo train the BYOL loss as well" in found
  assert "the others do not" in found
  byol = [{"name": "byol", "settings": {"weight": 1.0}}]
  for losses in (byol, "byol"):
    assert "Every agent trains the BYOL loss" in notes(bonuses, agent={"auxiliary": losses})
  assert "No agent trains an auxiliary loss." in notes(agent={"auxiliary": "none"})
  assert "One of your own does if" in notes(("none", "my:Own"), agent={"auxiliary": "none"})
  assert "auxiliary" not in notes(bonuses)


def test_resets_are_told():
  assert "While learning, a uses resets: it goes back to kept states" in notes(revisiting=["a"])
  assert "resets" not in notes()


def test_a_bonus_that_does_not_apply_is_not_missing():
  found = notes(
    ("none", "a"), ("maze", "chain"), cells={("none", "maze"), ("none", "chain"), ("a", "maze")}
  )
  assert "a does not apply in chain, and is left out of the aggregates." in found
  assert "Not run yet" not in found
  assert "Aggregates are of" not in found


def test_the_cheapest_and_the_dearest_bonus_are_named():
  found = results(THREE)
  costs = {
    bonus: Cost(1.0, 1.0, 1.0, 1.0, (ratio,) * 3, (1.0,) * 3)
    for bonus, ratio in {"none": 1.0, "a": 1.75, "b": 1.25}.items()
  }
  said = str(headline.sentences(found, costs)[-1])
  assert "from 1.25 (<strong>b</strong>) to 1.75 (<strong>a</strong>) times the time" in said


def test_names_are_escaped():
  assert headline.names(["<b>"]) == "<strong>&lt;b&gt;</strong>"
