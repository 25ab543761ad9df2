"""The table of what weights were chosen by."""

import pytest

from experiments.report import tuning
from experiments.report.data import Comparison


def comparison(rows, weights):
  trials = [
    {"variant": bonus, "env": env, "weight": weight, "seed": 1000 + i, "score": score}
    for i, (bonus, env, weight, score) in enumerate(rows)
  ]
  bonuses, envs = ["none", "rnd", "icm"], ["maze", "chain"]
  return Comparison(
    {"weights": weights}, "bonus", "none", bonuses, envs, [0], set(), {}, {}, {}, trials, {}, {}
  )


def test_merits_are_shares_of_the_best_in_each_environment():
  found = tuning.table(
    comparison(
      [
        ("rnd", "maze", 0.1, 0.2),
        ("rnd", "maze", 0.1, 0.4),
        ("rnd", "maze", 0.01, 0.6),
        ("icm", "maze", 0.1, 0.15),
        ("rnd", "chain", 0.1, 0.02),
        ("rnd", "chain", 0.01, 0.01),
      ],
      {"rnd": 0.1, "icm": 0.1},
    )
  )
  assert found["envs"] == ["maze", "chain"]
  assert found["weights"] == [0.01, 0.1]
  rnd, icm = found["rows"]
  # The best are 0.6 and 0.02. In plain means 0.01 would seem the better by 0.305 to 0.16.
  assert [cell["merit"] for cell in rnd["cells"]] == pytest.approx([(1 + 0.5) / 2, (0.5 + 1) / 2])
  assert [cell["runs"] for cell in rnd["cells"]] == [2, 3]
  assert [cell["chosen"] for cell in rnd["cells"]] == [False, True]
  assert icm["variant"] == "icm"
  assert icm["cells"][0] is None
  assert icm["cells"][1]["merit"] == pytest.approx(0.25)


def test_where_nothing_scored_no_weight_has_merit():
  found = tuning.table(comparison([("rnd", "maze", 0.1, 0.0)], {}))
  assert found["envs"] == ["maze"]
  assert found["rows"][0]["cells"][0]["merit"] == 0


def test_without_trials_there_is_no_table():
  assert tuning.table(comparison([], {})) is None
