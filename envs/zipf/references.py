"""Optimal play of Zipf's Gridworld: shortest paths to the target that touch nothing else."""

from __future__ import annotations

import functools

import numpy as np

from envs.environment import Reference
from envs.zipf import maps

DISCOUNT = 0.99


@functools.cache
def distances() -> np.ndarray:
  """Returns the steps from each cell to each target, float64 [map 20, target 20, cell 169].

  Found by breadth-first search from the target, all maps and targets at once, a layer of cells at
  a time. Infinite where no path exists: in walls and on objects other than the target.
  """
  world = maps.load()
  steps = np.full((maps.MAPS, maps.OBJECTS, maps.CELLS), np.inf)
  map_index, target_index = np.indices(steps.shape[:2])
  steps[map_index, target_index, world.object_cell] = 0
  free = ~world.walls & (world.object_at < 0)
  while True:
    through = np.where(free[:, None], 1 + _after_each_action(steps).min(-1), np.inf)
    nearer = np.minimum(steps, through)
    if np.array_equal(nearer, steps):
      return steps
    steps = nearer


def _after_each_action(steps: np.ndarray) -> np.ndarray:
  """Returns the steps left after each action, [map, target, cell, action]."""
  return np.stack([of_map[:, to] for of_map, to in zip(steps, maps.load().next_cell, strict=True)])


@functools.cache
def optimal_actions() -> np.ndarray:
  """Returns a shortest path's next action, int32 [map 20, target 20, cell 169].

  The lowest-numbered one where several are as short; 0 in cells without a path.
  """
  return _after_each_action(distances()).argmin(-1).astype(np.int32)


def optimal(ranks: np.ndarray) -> Reference:
  """Returns the exact scores of optimal play, which reaches every target within the step limit.

  Args:
    ranks: probabilities of the ranks of maps, and of targets, [20].

  Returns:
    Success, return, length in steps, and return discounted by .99 a step, where the reward of
    the first step is not discounted.
  """
  world = maps.load()
  length = distances()[np.arange(maps.MAPS), :, world.start]
  weight = ranks[:, None] * ranks
  return Reference(
    success=float(weight.sum()),
    episode_return=float(weight.sum()),
    length=float((weight * length).sum()),
    discounted_return=float((weight * DISCOUNT ** (length - 1)).sum()),
  )
