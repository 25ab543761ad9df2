"""A map of nine rooms under the four regimes of noise of BYOL-Hindsight (arXiv 2211.10515)."""

from __future__ import annotations

import difflib

import numpy as np

from envs.environment import registry
from envs.mazes import maps
from envs.mazes.maze import Maze
from envs.mazes.objects import Object

NOISE = ("none", "brownian", "pixel", "on_demand")
OSCILLATORS = (1, 3, 5, 7)
"""Rooms with an object in them."""


@registry.register("maze/nine_rooms")
class NineRooms(Maze):
  """BYOL-Hindsight's noises in nine rooms: none, brownian, pixel or on_demand; no reward.

  Nine rooms of 5 x 5 cells in a chain, from room 0 in one corner to room 8 in the opposite one. In
  every other room an object starts in the middle and moves to and fro. With noise="none" nothing at
  all is random, in any episode. The other regimes differ from it in one thing each:

    brownian   the objects walk at random instead
    pixel      with probability .25 a frame, the agent sees snow (`envs.mazes.snow`)
    on_demand  the agent sees snow whenever it chooses to stay (action 4)

  The actions are the same five in all regimes. The regimes, the 5x5 view, the 500 steps and the
  oscillating objects are the paper's; the map, the number of objects, and that they do not stand in
  the agent's way are ours.

  Args:
    noise: the regime.
    reward: whether the far corner of room 8 pays 1 and ends the episode.
    max_episode_steps: length of an episode.

  Raises:
    ValueError: one line, for an unknown regime or no steps.
  """

  def __init__(self, noise: str = "none", reward: bool = False, max_episode_steps: int = 500):
    if noise not in NOISE:
      near = difflib.get_close_matches(str(noise), NOISE, n=3, cutoff=0.4) or NOISE
      raise ValueError(f"unknown noise {noise!r}: did you mean {' or '.join(near)}?")
    world = maps.parse(maps.NINE_ROOMS)
    kind = "brownian" if noise == "brownian" else "bouncing"
    things = [
      Object(
        kind, world.room_cells(room), np.array([(world.room_centre(room), maps.EAST)], np.int32)
      )
      for room in OSCILLATORS
    ]
    goal = int(world.room_cells(8)[-1]) if reward else None
    super().__init__(world, world.room_centre(0), things, max_episode_steps, noise, goal)
