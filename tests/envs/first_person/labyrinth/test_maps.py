"""The bank of maps: every one can be walked through, and none depends on the others."""

import numpy as np
import pytest

from envs.first_person.labyrinth import doors, downhill, layouts, maps, table
from envs.first_person.scene import N


def grid(level, k):
  return maps.load().open[level * maps.MAPS + k]


def test_all_open_cells_hang_together_but_those_of_the_two_rooms_apart():
  apart = table.index("rooms_select_nonmatching_object")
  for level in range(table.COUNT):
    for k in range(maps.MAPS):
      free = grid(level, k)
      first = tuple(np.argwhere(free)[0])
      reached = (layouts.distances(free, [first]) >= 0).sum()
      assert (reached == free.sum()) == (level != apart)


def test_the_border_is_wall():
  inside = maps.load().open[:, 1:-1, 1:-1].sum((1, 2))
  np.testing.assert_array_equal(inside, maps.load().open.sum((1, 2)))
  solid = maps.load().solid
  row = np.uint32(((1 << N) - 1) << (32 - N))
  assert (solid[:, [0, -1]] == row).all()


def test_a_map_is_drawn_by_its_own_seed():
  one = maps.draw(23, 5)
  np.testing.assert_array_equal(one.open, grid(23, 5))
  assert (grid(23, 5) != grid(23, 6)).any()


def test_listed_cells_are_open_and_no_doorways():
  bank = maps.load()
  for row in range(0, len(bank.listed), 7):
    cells = bank.cells[row, : bank.listed[row]]
    assert len(set(cells.tolist())) == len(cells) > 1
    assert (bank.room[row].reshape(-1)[cells] >= 0).all()


def test_the_fixed_map_is_the_same_forty_times():
  assert all((grid(table.FIXED_MAP, k) == grid(table.FIXED_MAP, 0)).all() for k in range(maps.MAPS))


@pytest.mark.parametrize("level", [table.SKY_HARD, table.SKY_VARIED])
def test_a_way_down_leads_to_the_goal(level):
  bank = maps.load()
  for k in range(maps.MAPS):
    row = level * maps.MAPS + k
    cell, goal = int(bank.fixed[row, maps.START]), int(bank.fixed[row, maps.GOAL])
    height = bank.height[row].reshape(-1)
    for _ in range(N * N):
      after = int(downhill.next_cells()[row - table.SKY_HARD * maps.MAPS, cell])
      assert height[after] <= height[cell]
      cell = after
    assert cell == goal


def test_keys_can_be_had_one_after_another_and_none_lies_behind_its_own_door():
  bank, level = maps.load(), table.KEYS_DOORS
  for k in range(maps.MAPS):
    row = level * maps.MAPS + k
    shut, free = [d for d in bank.door[row] if d >= 0], bank.open[row]
    length = len(shut) - 1

    def reached(opened, shut=shut, free=free, row=row):
      cells = free.copy()
      for door in shut:
        cells[door // N, door % N] &= door in opened
      start = divmod(int(bank.fixed[row, maps.START]), N)
      return layouts.distances(cells, [start]).reshape(-1) >= 0

    for i in range(length):
      reach = reached(shut[:i])
      assert reach[bank.fixed[row, maps.KEY + i]]
      assert not reach[bank.fixed[row, maps.GOAL]]
      later = bank.fixed[row, maps.KEY + i + 1 : maps.KEY + length]
      assert not reach[later].any()
    assert reached(shut[:length])[bank.fixed[row, maps.GOAL]]
    assert reached([])[bank.fixed[row, maps.HERRING]]
    assert 1 <= length <= 3
    assert 0 <= bank.variant[row] < length


def test_ways_between_rooms_are_along_doors_that_join_them():
  bank = maps.load()
  ways = doors.ways()
  row = table.OBSTRUCTED[0] * maps.MAPS
  links = bank.links[row]
  for a in range(int(bank.room[row].max()) + 1):
    used = [d for d in range(maps.DOORS) if ways[0, 1, 0, a] >> d & 1]
    degree = np.bincount(links[used].ravel(), minlength=a + 1) if used else np.zeros(a + 1, int)
    ends = [0, a] if a else []
    assert sorted(np.flatnonzero(degree % 2).tolist()) == sorted(ends)
