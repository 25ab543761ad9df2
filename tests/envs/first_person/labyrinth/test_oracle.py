"""The oracle finds its way, and does what a level asks for in every episode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from envs.first_person import ways
from envs.first_person.labyrinth import layouts, measure, table
from envs.first_person.scene import N, bit_rows


def test_it_follows_a_shortest_way_over_sides_and_open_corners():
  rng = np.random.default_rng(0)
  free = layouts.outdoor(rng, 15, rocks=0.25).free
  targets = [tuple(cell) for cell in rng.choice(np.argwhere(free), 2, replace=False)]
  marked = np.zeros((N, N), bool)
  marked[tuple(np.transpose(targets))] = True
  find = jax.jit(lambda here: ways.next_cell(bit_rows(free), bit_rows(marked), here))
  sides = layouts.distances(free, targets)
  for start in rng.choice(np.argwhere(free), 10, replace=False):
    row, column = start
    for _ in range(sides[tuple(start)]):
      cell, found = find(jnp.int32(row * N + column))
      assert bool(found)
      down, right = int(cell) // N - row, int(cell) % N - column
      assert free[row + down, column]
      assert free[row, column + right]
      assert free[row + down, column + right]
      assert max(abs(down), abs(right)) <= 1
      row, column = row + down, column + right
      if marked[row, column]:
        break
    assert marked[row, column]


def test_it_stays_where_no_way_leads_on():
  free = np.zeros((N, N), bool)
  free[2, 2:4] = free[6, 6] = True
  target = np.zeros((N, N), bool)
  target[6, 6] = True
  cell, found = ways.next_cell(bit_rows(free), bit_rows(target), jnp.int32(2 * N + 2))
  assert (int(cell), bool(found)) == (2 * N + 2, False)


@pytest.mark.parametrize(
  ("name", "least"),
  [
    ("rooms_collect_good_objects", 8),
    ("rooms_keys_doors_puzzle", 52),
    ("skymaze_irreversible_path_hard", 100),
    ("psychlab_visual_search", 80),
  ],
)
def test_it_does_what_the_level_asks_for_in_every_episode(name, least):
  played = measure.play(jax.random.key(1), jnp.int32(table.index(name)), 8, True)
  assert float(played.returns.min()) >= least
