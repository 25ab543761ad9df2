"""The maps of Zipf's Gridworld against a record of the reference's, and its cells' pictures."""

import json
import pathlib

import numpy as np
import pytest

from envs.zipf import maps, templates

GOLDEN = json.loads((pathlib.Path(__file__).parent / "golden" / "zipf_maps.json").read_text())
COLOURS = list(templates.COLOURS)
PIXELS = {
  "triangle": 41,
  "empty_square": 56,
  "plus": 45,
  "inverse_plus": 36,
  "ex": 45,
  "inverse_ex": 36,
  "circle": 49,
  "empty_circle": 32,
  "tee": 45,
  "upside_down_tee": 45,
  "h": 63,
  "u": 63,
  "upside_down_u": 63,
  "vertical_stripes": 45,
  "horizontal_stripes": 45,
}


@pytest.mark.parametrize("k", range(20))
def test_map_equals_the_reference(k):
  world = maps.load()
  cells = np.where(world.walls[k], "#", " ")
  cells[world.object_cell[k]] = list("BCDEFGHIJKLMNOPQRSTU")
  cells[world.start[k]] = "A"
  assert ["".join(row) for row in cells.reshape(13, 13)] == GOLDEN[str(k)]["layout"]


@pytest.mark.parametrize("k", range(20))
def test_looks_equal_the_reference(k):
  world = maps.load()
  looks = zip(world.colour[k], world.shape[k], strict=True)
  names = [f"{COLOURS[colour]} {templates.SHAPES[shape]}" for colour, shape in looks]
  assert names == GOLDEN[str(k)]["objects"]


@pytest.mark.parametrize("shape", PIXELS)
def test_shape_has_its_number_of_pixels(shape):
  assert templates.shape_masks()[shape].sum() == PIXELS[shape]


def test_object_picture_is_its_colour_on_the_ground():
  picture = templates.objects(180)[templates.SHAPES.index("plus"), COLOURS.index("orange")]
  assert picture.shape == (9, 9, 3)
  assert picture[4].tolist() == [[255, 165, 0]] * 9
  assert picture[0, 0].tolist() == [180, 180, 180]


def test_every_map_has_eight_doors():
  # Eight doors are cut into the four rows and four columns of walls, which cross in 16 cells.
  assert (maps.load().walls.sum(1) == 4 * 13 + 4 * 13 - 16 - 8).all()


def test_maps_are_built_once():
  assert maps.load() is maps.load()
