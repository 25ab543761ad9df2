"""Areas under the curves: who differs from the baseline, who is the best, who solved it when."""

import types

import numpy as np
import pytest

from experiments.report import areas, headline, permutation_test

SEEDS = [0, 1, 2, 3, 4]
HIGH, LOW = [0.5, 0.6, 0.7, 0.8, 0.9], [0.0, 0.1, 0.2, 0.3, 0.4]


def comparison(curves, solved=None):
  """Of areas by variant and environment; `solved` is each cell's steps, None where it was not."""
  finals = {
    cell: {
      seed: {"auc": area, "steps": 100} | ({} if step is None else {"solved_at": step})
      for seed, area, step in zip(SEEDS, own, (solved or {}).get(cell, [None] * 5), strict=False)
    }
    for cell, own in curves.items()
  }
  return types.SimpleNamespace(
    variants=list(dict.fromkeys(variant for variant, _ in curves)),
    envs=list(dict.fromkeys(env for _, env in curves)),
    cells=set(curves),
    seeds=SEEDS,
    finals=finals,
    baseline="none",
    is_complete=lambda cell: cell in finals,
  )


def test_each_is_tested_against_the_baseline_of_its_environment_and_all_are_one_family():
  found = areas.p_values(
    comparison(
      {("none", "a"): LOW, ("rnd", "a"): HIGH, ("none", "b"): LOW, ("rnd", "b"): LOW[::-1]}
    )
  )
  assert set(found) == {("rnd", "a"), ("rnd", "b")}
  assert found["rnd", "a"] == pytest.approx(2 * permutation_test.smallest(5, 1))
  assert found["rnd", "b"] == pytest.approx(1.0)


def test_a_cell_without_every_seed_is_not_tested():
  assert areas.p_values(comparison({("none", "a"): LOW, ("rnd", "a"): HIGH[:4]})) == {}


def test_the_best_is_told_where_all_others_differ_from_it():
  far = comparison({("none", "a"): LOW, ("rnd", "a"): HIGH, ("icm", "a"): LOW[::-1]})
  assert areas.told(far, "a") == ["rnd"]
  near = comparison({("none", "a"): LOW, ("rnd", "a"): HIGH, ("icm", "a"): HIGH})
  assert set(areas.told(near, "a")) == {"rnd", "icm"}
  assert areas.told(comparison({("none", "a"): LOW}), "a") == []


def test_the_highest_mean_is_not_the_best_where_its_seeds_are_told_to_be_the_worse():
  one_seed = [0.0, 0.01, 0.02, 0.03, 1.0]
  worse = comparison({("none", "a"): [0.11, 0.12, 0.13, 0.14, 0.15], ("rnd", "a"): one_seed})
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(permutation_test, "LEVEL", 1.0)  # five seeds against five tell less
    assert areas.told(worse, "a") == ["rnd", "none"]


def test_it_is_said_where_so_few_seeds_could_tell_nothing():
  many = {(variant, "a"): LOW for variant in ("none", *"bcdefg")}
  assert "With so few seeds" in headline.by_area(comparison(many))[0]
  few = {cell: LOW for cell in [*many][:2]}
  assert "With so few seeds" not in headline.by_area(comparison(few))[0]


def test_the_answer_names_the_best_of_each_environment_or_between_whom_it_cannot_tell():
  both = comparison(
    {("none", "a"): LOW, ("rnd", "a"): HIGH, ("none", "b"): LOW, ("rnd", "b"): LOW[::-1]}
  )
  certain, open_ = (sentence.striptags() for sentence in headline.by_area(both))
  assert certain.endswith("in a test of all pairs there: rnd in a.")
  assert open_.endswith("nothing can be told between none and rnd in b.")


def test_how_many_seeds_solved_it_and_when():
  solved = {("rnd", "a"): [10, None, 30, 20, None]}
  both = comparison({("none", "a"): LOW, ("rnd", "a"): HIGH}, solved)
  table = areas.table(both)
  assert table["rnd", "a"]["area"] == pytest.approx(np.mean(HIGH))
  assert (table["rnd", "a"]["solved"], table["rnd", "a"]["at"]) == (3, 20.0)
  assert (table["none", "a"]["solved"], table["none", "a"]["at"]) == (0, None)
  assert areas.half_solved(both, ("rnd", "a")) == 30.0
  assert areas.half_solved(both, ("none", "a")) is None


def test_it_is_said_in_words_who_solved_each_environment_first():
  both = comparison(
    {(variant, env): LOW for env in "ab" for variant in ("none", "rnd", "icm", "ngu")},
    {
      ("rnd", "a"): [9000, 1000, 3000, 2000, 5000],
      ("icm", "a"): [10, 20, 1000, 2000, 3000],
      ("ngu", "a"): [10, None, 30, 20, None],
    },
  )
  assert [str(sentence.striptags()) for sentence in headline.solved(both)] == [
    "a was solved with every seed by icm at 1,000, then rnd at 3,000 steps (median); with some"
    " seeds by ngu (3 of 5).",
    "b was solved with no seed.",
  ]


def test_data_that_do_not_tell_whether_it_was_solved_say_nothing_of_it():
  old = comparison({("none", "a"): LOW, ("rnd", "a"): HIGH})
  for row in (row for rows in old.finals.values() for row in rows.values()):
    del row["steps"]
  assert areas.table(old)["rnd", "a"]["solved"] is None
  assert headline.solved(old) == []
