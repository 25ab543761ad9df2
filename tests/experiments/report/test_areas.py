"""Areas under the curves: who differs from the baseline, who is the best, who solved it when."""

import types

import numpy as np
import pytest

from experiments.report import areas, headline, page, permutation_test

SEEDS = [0, 1, 2, 3, 4]
HIGH, LOW = [0.5, 0.6, 0.7, 0.8, 0.9], [0.0, 0.1, 0.2, 0.3, 0.4]


def comparison(curves, solved=None):
  """Of areas by variant and environment; `solved` is each cell's steps, None where it was not."""
  finals = {
    cell: {
      seed: {"auc": area} | ({} if step is None else {"solved_at": step})
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
  assert page._half_solved(both, ("rnd", "a")) == 30.0
  assert page._half_solved(both, ("none", "a")) is None
