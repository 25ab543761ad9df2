"""The ways down to the goals of the falling paths, for the oracle."""

from __future__ import annotations

import functools

import numpy as np

from envs.first_person.labyrinth import layouts, maps, table
from envs.first_person.scene import N


@functools.cache
def next_cells() -> np.ndarray:
  """The next cell on a shortest way to the goal, int16 [80, 289]; itself where there is none.

  Of the maps of the two levels, one level's after the other's.
  """
  first = table.SKY_HARD * maps.MAPS
  return np.stack([_of_map(row) for row in range(first, first + 2 * maps.MAPS)])


def _of_map(row: int) -> np.ndarray:
  bank = maps.load()
  free, height = bank.open[row], bank.height[row]
  goal = int(bank.fixed[row, maps.GOAL])
  cells = np.arange(N * N).astype(np.int16)
  front, done = [goal], {goal}
  while front:
    cell = front.pop(0)
    for down, right in layouts.STEPS.tolist():
      before = cell // N - down, cell % N - right
      number = maps.number(before)
      falls = free[before] and height[before] >= height[cell // N, cell % N]
      if falls and number not in done:
        cells[number] = cell
        done.add(number)
        front.append(number)
  return cells
