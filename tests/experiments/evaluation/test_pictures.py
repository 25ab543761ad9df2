"""Pictures: what is drawn of a log."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from experiments.evaluation import pictures

REFS = {
  "train": {
    "random": {"success": 0.1, "episode_return": 1.0},
    "optimal": {"success": 1.0, "episode_return": 9.0},
  },
  "rare": {"random": {"success": 0.1, "episode_return": 1.0}, "optimal": None},
}


def log(seeds=2, steps=6):
  return [
    {"seed": seed, "step": 100 * k, "bonus": 1.0 / k, "entropy": 0.5, "episode/success": 0.1 * k}
    | ({f"eval/{s}/success": 0.1 * k + 0.2 * seed for s in REFS} if k % 2 == 0 else {})
    for k in range(1, steps + 1)
    for seed in range(seeds)
  ]


def test_series_orders_steps_and_marks_what_is_missing():
  rows = [
    {"seed": 1, "step": 20, "x": 4.0},
    {"seed": 0, "step": 20, "x": 3.0},
    {"seed": 0, "step": 10, "x": 1.0},
    {"seed": 1, "step": 10, "x": float("nan")},
    {"seed": 0, "step": 30},
  ]
  steps, values = pictures.series(rows, "x")
  np.testing.assert_array_equal(steps, [10, 20])
  np.testing.assert_array_equal(values, [[1, 3], [np.nan, 4]])


@pytest.mark.parametrize(
  ("successes", "optimal", "expected"),
  [((0.0, 0.5), None, "success"), ((0.1, 0.1), 1.0, "success"), ((0.1, 0.1), None, "return")],
)
def test_score_is_success_where_success_tells_policies_apart(successes, optimal, expected):
  rows = [{"seed": 0, "step": i, "eval/a/success": s} for i, s in enumerate(successes)]
  known = None if optimal is None else {"success": optimal, "episode_return": 1.0}
  refs = {"a": {"random": {"success": 0.1, "episode_return": 0.0}, "optimal": known}}
  assert pictures.score(rows, refs) == expected


@pytest.mark.parametrize("wanted", [[0.5, 0.2], [0.3, 0.3, 0.3], [1.0, 0.99, 1.0, 0.2], [0.0]])
def test_spread_keeps_order_distance_and_bounds(wanted):
  placed = pictures.spread(wanted, 0.1)
  order = np.argsort(wanted, kind="stable")
  assert (np.diff(np.array(placed)[order]) >= 0.1 - 1e-9).all()
  assert max(placed) <= 0.98 + 1e-9


def test_spread_leaves_what_is_far_apart():
  assert pictures.spread([0.9, 0.1, 0.5], 0.1) == [0.9, 0.1, 0.5]


@pytest.mark.parametrize(
  "rows",
  [log(), log(seeds=1), [r | {"byol_loss": 1.0, "effective_rank": 9.0} for r in log()], log()[:2]],
  ids=["seeds", "one seed", "world model", "no evaluation"],
)
def test_curves_are_a_png_1600_pixels_wide_and_nothing_else_is_left(tmp_path, rows):
  pictures.write_curves(tmp_path / "curves.png", rows, REFS, "a_title with $ signs")
  with Image.open(tmp_path / "curves.png") as image:
    image.load()
    assert image.width == 1600
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
  # The random play of both splits, whatever else there is.
  assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} & colours
  assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


@pytest.mark.parametrize("count", [2, 8])
def test_of_a_sweep_each_combination_has_a_colour(tmp_path, count):
  rows = [row | {"lane": lane, "rate": 0.1 * lane} for lane in range(count) for row in log(seeds=1)]
  assert list(pictures.combinations(rows, ["rate"]))[:2] == ["rate=0", "rate=0.1"]
  assert all(len(own) == 6 for own in pictures.combinations(rows, ["rate"]).values())
  pictures.write_curves(tmp_path / "curves.png", rows, REFS, "sweep", ["rate"])
  with Image.open(tmp_path / "curves.png") as image:
    seen = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
  expected = [tuple(round(255 * x) for x in to_rgb(colour)) for colour in pictures.colours(count)]
  assert len(set(expected)) == count
  # Curves that lie one upon another hide all but the last.
  assert expected[-1] in seen


def test_curves_replace_older_ones(tmp_path):
  path = tmp_path / "curves.png"
  path.write_bytes(b"old")
  pictures.write_curves(path, log(), REFS)
  assert path.read_bytes().startswith(b"\x89PNG")
