"""What is drawn on maps."""

import base64
import io

import numpy as np
from PIL import Image

from experiments.report import maps

MAP = {"rows": 2, "columns": 3, "reachable": [True, True, True, True, True, False]}
NAN = float("nan")


def pixels(uri):
  with Image.open(
    io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))
  ) as image:
    return np.asarray(image.convert("RGB"))


def test_a_map_shows_walls_what_was_never_visited_and_the_ends_of_the_scale():
  found = pixels(maps.picture(MAP, np.array([0.0, 1.0, NAN, 0.5, NAN, NAN])))
  assert found.shape == (2, 3, 3)
  assert tuple(found[1, 2]) == maps.WALL
  assert tuple(found[0, 2]) == tuple(found[1, 1]) == maps.NEVER
  assert tuple(found[0, 0]) == (68, 1, 84)  # the ends of viridis
  assert tuple(found[0, 1]) == (253, 231, 37) or tuple(found[0, 1]) == (253, 231, 36)


def test_visits_add_up_over_seeds():
  found = maps.visits([{"visits": [1, 0, 0]}, {"visits": [2, 5, 0]}])
  np.testing.assert_array_equal(found, [3, 5, NAN])


def test_first_visits_are_medians_and_never_where_most_never_came():
  rows = [{"first_visit": steps} for steps in ([10, -1, 7], [30, -1, 9], [20, 5, -1])]
  np.testing.assert_array_equal(maps.first_visits(rows), [20, NAN, 9])


def test_the_bonus_of_a_place_is_the_mean_over_its_visits():
  found = maps.paid(MAP, {"place": [0, 1, 0, 3], "bonus": [1.0, 5.0, 3.0, 0.0]})
  np.testing.assert_array_equal(found, [2, 5, NAN, 0, NAN, NAN])


def test_visits_are_on_a_logarithmic_scale():
  np.testing.assert_allclose(maps.logarithmic(np.array([1.0, 10.0, 100.0]), 100.0), [0, 0.5, 1])


def test_a_timeline_reaches_from_bottom_to_top_and_marks_stretches():
  found = maps.timeline({"bonus": [0.0, 2.0, 1.0], "first": [True, True, False]})
  assert found["bonus"] == "M0 60L1 0L2 30"
  assert found["first"] == "M0 0h2v8h-2z"
  assert found["most"] == 2.0
  assert "near_noise" not in found
