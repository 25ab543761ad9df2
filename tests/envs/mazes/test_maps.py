"""The tables of the maps against a search in the drawings themselves."""

import numpy as np
import pytest

import envs
from envs.mazes import maps

WORLDS = {"five": ("maze/five_rooms", 5), "nine": ("maze/nine_rooms", 9)}


def search(drawing, start):
  """Distances by breadth-first search over the drawing: {(row, column): steps}."""
  distance, frontier = {start: 0}, [start]
  while frontier:
    cell = frontier.pop(0)
    for action in range(4):
      ahead = drawing.move(cell, action)
      if ahead not in distance:
        distance[ahead] = distance[cell] + 1
        frontier.append(ahead)
  return distance


@pytest.fixture(params=list(WORLDS))
def world(request):
  name, rooms = WORLDS[request.param]
  drawing = request.getfixturevalue(request.param)
  text = maps.FIVE_ROOMS if request.param == "five" else maps.NINE_ROOMS
  return envs.make(name), drawing, maps.parse(text), rooms


def test_moves_stop_at_walls_and_inside_moves_at_doors_too(world):
  _, drawing, tables, _ = world
  for cell in np.flatnonzero(~tables.walls):
    pair = drawing.pair(cell)
    for action in range(5):
      assert drawing.pair(tables.next_cell[cell, action]) == drawing.move(pair, action)
      if drawing.room(pair) is not None:
        inside = drawing.pair(tables.next_inside[cell, action])
        assert inside == drawing.move(pair, action, inside=True)


def test_window_is_the_crop_around_a_cell(world):
  _, drawing, tables, _ = world
  for cell in range(tables.walls.size):
    row, column = drawing.pair(cell)
    for r in range(5):
      for c in range(5):
        seen = (row + r - 2, column + c - 2)
        wanted = seen[0] * drawing.columns + seen[1] if seen in drawing.at else -1
        assert tables.window[cell, r, c] == wanted


def test_distances_are_those_of_a_search(world):
  env, drawing, tables, _ = world
  distance = search(drawing, drawing.pair(env.start))
  for cell, steps in enumerate(tables.distances(env.start)):
    assert steps == distance.get(drawing.pair(cell), -1)


def test_every_floor_cell_and_door_is_reachable(world):
  env, drawing, _, _ = world
  reachable = env.places().reachable
  assert reachable.dtype == bool
  assert {drawing.pair(cell) for cell in np.flatnonzero(reachable)} == {
    cell for cell in drawing.at if drawing.free(cell)
  }


def test_places_number_the_rooms_and_leave_doors_out(world):
  env, drawing, _, rooms = world
  places = env.places()
  assert (places.rows, places.columns) == (drawing.rows, drawing.columns)
  assert set(places.rooms) == {-1, *range(rooms)}
  assert places.rooms.dtype == np.int32
  for cell, room in enumerate(places.rooms):
    drawn = drawing.room(drawing.pair(cell))
    assert room == (-1 if drawn is None else drawn)


def test_the_five_rooms_are_about_equally_large(five):
  sizes = [sum(five.room(cell) == room for cell in five.at) for room in range(5)]
  assert sizes == [49, 48, 48, 48, 48]


def test_room_k_of_nine_is_k_doors_from_the_start(nine):
  distance = search(nine, nine.pair(envs.make("maze/nine_rooms").start))
  nearest = [min(d for cell, d in distance.items() if nine.room(cell) == k) for k in range(9)]
  assert nearest == sorted(nearest)
  doors = [cell for cell, char in nine.at.items() if char == "+"]
  joined = set()
  for door in doors:
    around = [nine.room(nine.move(door, action)) for action in range(4)]
    joined.add(tuple(sorted(room for room in around if room is not None)))
  assert joined == {(k, k + 1) for k in range(8)}
