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


def test_being_put_where_an_episode_begins_is_not_coming_there():
  trajectory = {"place": [0, 1, 0, 3], "bonus": [1.0, 5.0, 0.0, 0.0]}
  found = maps.paid(MAP, trajectory | {"real": [True, True, False, True]})
  np.testing.assert_array_equal(found, [1, 5, NAN, 0, NAN, NAN])


def test_pay_below_zero_has_colours_of_its_own():
  found = pixels(maps.paid_picture(MAP, np.array([-2.0, 2.0, 0.0, -0.5, NAN, NAN]))).astype(int)
  (below, above, zero), (little, never, wall) = found
  assert below[2] > below[0] + 50  # blue
  assert above[0] > above[2] + 50  # red
  assert abs(zero - (255, 255, 191)).max() <= 8  # pale yellow, of half a level at most
  assert little[2] > little[0]
  assert tuple(never) == maps.NEVER
  assert tuple(wall) == maps.WALL


def test_pay_from_zero_up_begins_at_zero():
  found = pixels(maps.paid_picture(MAP, np.array([0.0, 2.0, 0.5, NAN, NAN, NAN])))
  assert tuple(found[0, 0]) == (68, 1, 84)
  assert tuple(found[0, 1]) in ((253, 231, 36), (253, 231, 37))


def test_visits_are_on_a_logarithmic_scale():
  np.testing.assert_allclose(maps.logarithmic(np.array([1.0, 10.0, 100.0]), 100.0), [0, 0.5, 1])


def test_a_timeline_reaches_from_bottom_to_top_and_marks_stretches():
  found = maps.timeline({"bonus": [0.0, 2.0, 1.0], "first": [True, True, False]})
  assert found["bonus"] == "M0 60L1 0L2 30"
  assert found["first"] == "M0 0h2v8h-2z"
  assert (found["least"], found["most"], found["zero"]) == (0.0, 2.0, "60")
  assert "near_noise" not in found


def test_a_timeline_shows_what_is_below_zero_below_its_line():
  found = maps.timeline({"bonus": [0.0, 3.0, -1.0]})
  assert found["bonus"] == "M0 45L1 0L2 60"
  assert (found["least"], found["most"], found["zero"]) == (-1.0, 3.0, "45")


def test_a_timeline_of_nothing_lies_on_its_line():
  found = maps.timeline({"bonus": [0.0, 0.0]})
  assert found["bonus"] == "M0 60L1 60"
  assert found["zero"] == "60"
