"""The rows of a comparison, in files."""

import math

import pytest

from experiments.compare import data
from experiments.compare.plan import Cell
from experiments.settings.errors import UserError

CELL, OTHER = Cell("a", "e"), Cell("b", "e")


def test_rows_of_a_cell_take_the_place_of_its_old_ones(tmp_path):
  data.replace(tmp_path, "x.jsonl", CELL, [{"n": 1}, {"n": 2}])
  data.replace(tmp_path, "x.jsonl", OTHER, [{"n": 3}])
  data.replace(tmp_path, "x.jsonl", CELL, [{"n": 4}])
  assert data.read(tmp_path, "x.jsonl") == [
    {"variant": "b", "env": "e", "n": 3},
    {"variant": "a", "env": "e", "n": 4},
  ]
  assert data.cells(tmp_path, "x.jsonl") == {CELL, OTHER}
  assert data.cells(tmp_path, "y.jsonl") == set()


def test_what_is_not_finite_is_null(tmp_path):
  data.replace(tmp_path, "x.jsonl", CELL, [{"n": math.nan, "m": {"k": [1.0, math.inf]}}])
  (row,) = data.read(tmp_path, "x.jsonl")
  assert (row["n"], row["m"]) == (None, {"k": [1.0, None]})


def test_a_damaged_file_is_named(tmp_path):
  (tmp_path / "x.jsonl").write_text('{"variant": "a", "env": "e"}\n{"bon')
  with pytest.raises(UserError, match=r"x\.jsonl cannot be read"):
    data.read(tmp_path, "x.jsonl")
