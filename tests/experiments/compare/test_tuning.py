"""The weight that is chosen."""

import json

import numpy as np

from experiments.compare import tuning
from experiments.compare.plan import Cell, Trial

WEIGHTS = (0.1, 1.0)


def trial(bonus, env, weight, seed, score):
  return {"variant": bonus, "env": env, "weight": weight, "seed": seed, "score": score}


def test_areas_count_relative_to_the_best_of_any_bonus_in_an_environment():
  trials = [
    trial("a", "easy", 0.1, 1000, 0.8),
    trial("a", "easy", 1.0, 1000, 0.4),
    trial("a", "hard", 0.1, 1000, 0.01),
    trial("a", "hard", 1.0, 1000, 0.10),
    trial("b", "easy", 0.1, 1000, 0.4),
    trial("b", "easy", 1.0, 1000, 0.2),
    trial("b", "hard", 0.1, 1000, 0.01),
    trial("b", "hard", 1.0, 1000, 0.03),
  ]
  # a: (1 + .1) / 2 against (.5 + 1) / 2; b: (.5 + .1) / 2 against (.25 + .3) / 2.
  assert tuning.choose(trials, WEIGHTS, 0.1) == {"a": 1.0, "b": 0.1}


def test_random_trials_against_a_table_in_numpy():
  rng = np.random.default_rng(0)
  areas = rng.uniform(size=(3, 2, 2, 4))
  trials = [
    trial(f"b{b}", f"e{e}", WEIGHTS[w], 1000 + s, areas[b, e, w, s])
    for b, e, w, s in np.ndindex(areas.shape)
  ]
  means = areas.mean(-1)
  relative = (means / means.max((0, 2), keepdims=True)).mean(1)
  expected = {f"b{b}": WEIGHTS[relative[b].argmax()] for b in range(3)}
  assert tuning.choose(trials, WEIGHTS, 0.1) == expected


def test_where_nothing_scored_the_weight_nearest_to_the_given_one_is_kept():
  weights = (0.001, 0.01, 0.1)
  trials = [trial("a", "e", weight, 1000, 0.0) for weight in weights]
  assert tuning.choose(trials, weights, 0.01) == {"a": 0.01}
  assert tuning.choose(trials, weights, 0.05) == {"a": 0.1}


def test_slots_of_a_run_become_trials_and_what_fills_up_is_left_out(small, tmp_path):
  batch = [Trial(0.5, 1000), Trial(0.01, 1000), Trial(0.01, 1000)]
  cell = Cell("byol_explore", "deep_sea?size=4")
  run = tuning.train_config(small, cell, batch, 0)
  assert run.seed == 1000
  log = [
    {"seed": slot, "step": (i + 1) * small.steps_per_row(run), "episode/success": score}
    for slot, curve in enumerate([(0.0, 0.5, 1.0), (1.0, 0.0, 1.0), (1.0, 0.0, 1.0)])
    for i, score in enumerate(curve)  # the third point lies beyond the share of tuning
  ]
  folder = tmp_path / "compared" / "runs" / "tuning" / f"{cell.folder}-0"
  folder.mkdir(parents=True)
  (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
  env = type("World", (), {"success_return": 1.0})()
  assert tuning.rows(small, run, env, batch) == [
    {"weight": 0.5, "seed": 1000, "score": 0.25},
    {"weight": 0.01, "seed": 1000, "score": 0.5},
  ]
