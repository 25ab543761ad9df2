"""Reading the data of a comparison."""

import json

import pytest

from experiments.report import data
from experiments.settings.errors import UserError
from tests.experiments.report import synthetic


@pytest.fixture
def folder(tmp_path):
  synthetic.write(tmp_path, ("none", "rnd"), ("maze", "chain"), seeds=2, points=3, side=7)
  return tmp_path


def append(path, row):
  with path.open("a") as lines:
    lines.write(row if isinstance(row, str) else json.dumps(row) + "\n")


def test_reads_every_cell(folder):
  found = data.read(folder)
  cells = {(bonus, env) for bonus in ("none", "rnd") for env in ("maze", "chain")}
  assert set(found.curves) == set(found.finals) == set(found.instruments) == cells
  assert all(found.is_complete(cell) for cell in cells)
  assert len(found.curves["rnd", "maze"]) == 2 * 3


def test_cells_are_those_that_are_listed_and_else_all_pairs(folder):
  settings = json.loads((folder / "compare.json").read_text())
  pairs = {(bonus, env) for bonus in ("none", "rnd") for env in ("maze", "chain")}
  listed = [{"variant": "none", "env": "maze"}, {"variant": "rnd", "env": "chain"}]
  (folder / "compare.json").write_text(json.dumps(settings | {"cells": listed}))
  found = data.read(folder)
  assert found.cells == set(found.finals) == {("none", "maze"), ("rnd", "chain")}
  assert not found.applies_everywhere("rnd")
  del settings["cells"]
  (folder / "compare.json").write_text(json.dumps(settings))
  found = data.read(folder)
  assert found.cells == pairs
  assert found.applies_everywhere("rnd")


def test_the_last_of_two_rows_of_a_run_counts(folder):
  append(folder / "finals.jsonl", {"variant": "rnd", "env": "chain", "seed": 1, "score": 0.125})
  assert data.read(folder).finals["rnd", "chain"][1]["score"] == 0.125


def test_what_is_null_counts_as_absent(folder):
  append(
    folder / "finals.jsonl", {"variant": "rnd", "env": "chain", "seed": 1, "auc": None, "score": 1}
  )
  assert "auc" not in data.read(folder).finals["rnd", "chain"][1]


def test_rows_of_what_is_not_compared_are_left_out(folder):
  append(folder / "finals.jsonl", {"variant": "old", "env": "maze", "seed": 0, "score": 1})
  append(folder / "finals.jsonl", {"variant": "rnd", "env": "maze", "seed": 77, "score": 1})
  found = data.read(folder)
  assert ("old", "maze") not in found.finals
  assert set(found.finals["rnd", "maze"]) == {0, 1}


def test_an_unfinished_last_line_is_left_out(folder):
  append(folder / "curves.jsonl", '{"variant": "rnd", "env": "ma')
  assert len(data.read(folder).curves["rnd", "maze"]) == 2 * 3


def test_a_last_line_without_its_end_counts_if_whole(folder):
  append(folder / "finals.jsonl", '{"variant": "rnd", "env": "chain", "seed": 0, "score": 0.125}')
  assert data.read(folder).finals["rnd", "chain"][0]["score"] == 0.125


CELL = {"variant": "rnd", "env": "maze", "seed": 0}


@pytest.mark.parametrize(
  ("name", "row", "told"),
  [
    ("curves.jsonl", "{broken\n", "cannot be read"),
    ("finals.jsonl", "[1]\n", "expected an object"),
    ("curves.jsonl", {"variant": "rnd", "env": "maze", "seed": 0}, "no step"),
    ("finals.jsonl", CELL | {"score": "high"}, "score is 'high', expected a number"),
    ("finals.jsonl", CELL | {"score": 1, "variant": 3}, "variant is 3, expected a text"),
    ("finals.jsonl", CELL | {"score": 1, "visits": [1, 2]}, "visits has 2 entries"),
    ("instruments.jsonl", CELL | {"trajectory": {"place": [999]}}, "leaves the map"),
    ("instruments.jsonl", CELL | {"trajectory": {"bonus": [1], "first": []}}, "differ in length"),
    ("tuning.jsonl", CELL, "no weight"),
  ],
)
def test_a_bad_line_is_named_with_its_file_in_one_line(folder, name, row, told):
  line = len((folder / name).read_text().splitlines()) + 1
  append(folder / name, row)
  with pytest.raises(UserError, match=told) as caught:
    data.read(folder)
  assert f"{name} line {line}" in str(caught.value)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  ("name", "text", "told"),
  [
    ("compare.json", "{", "compare.json cannot be read"),
    ("compare.json", "{}", "must list variants, envs and seeds"),
    (
      "compare.json",
      '{"variants": ["a"], "envs": ["b"], "seeds": [0], "cells": [{"env": "b"}]}',
      "of cells variant",
    ),
    ("maps.json", "[]", "maps.json cannot be read"),
    ("maps.json", '{"maze": {"rows": 2, "columns": 2, "reachable": [true]}}', "2 x 2 places"),
  ],
)
def test_a_bad_file_is_named_in_one_line(folder, name, text, told):
  (folder / name).write_text(text)
  with pytest.raises(UserError, match=told) as caught:
    data.read(folder)
  assert "\n" not in str(caught.value)


def test_a_folder_without_a_comparison_is_told(tmp_path):
  with pytest.raises(UserError, match="holds no comparison"):
    data.read(tmp_path / "absent")
