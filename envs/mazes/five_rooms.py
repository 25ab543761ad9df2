"""The maze of five rooms of NDIGO (World Discovery Models, arXiv 1902.07685)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from envs.environment import registry
from envs.mazes import maps
from envs.mazes.maze import Maze
from envs.mazes.objects import KINDS, somewhere

ROOM_ORDER = (1, 2, 3, 4, 0)
"""Rooms that the objects are given in turn: upper, right, lower, left, and the central one."""


def _kinds(names: str | Iterable[str]) -> tuple[str, ...]:
  if isinstance(names, str):
    names = filter(None, (name.strip() for name in names.split(",")))
  kinds = tuple(names)
  for kind in kinds:
    if kind not in KINDS:
      near = difflib.get_close_matches(str(kind), KINDS, n=3, cutoff=0.4) or KINDS
      raise ValueError(f"unknown kind of object {kind!r}: did you mean {' or '.join(near)}?")
  if len(kinds) > len(ROOM_ORDER):
    raise ValueError(f"{len(kinds)} objects for {len(ROOM_ORDER)} rooms; each needs its own.")
  return kinds


@registry.register("maze/five_rooms")
class FiveRooms(Maze):
  """NDIGO's five-room maze: a room with four around it, an object in each, no reward.

  The agent starts in the middle of the central room. Each object starts somewhere in its room,
  drawn for each episode, and moves by the law of its kind (`envs.mazes.objects`). Two worlds of
  the paper's sort: objects="white_noise,fixed,fixed,fixed" has one distraction among things worth
  finding, objects="fixed" one thing alone.

  The forms of the rooms, the kinds of object and the 5x5 view are the paper's. Ours are the sizes
  (19 x 19 cells in all), which kind is in which room, and the length of an episode.

  Args:
    objects: kinds of the objects, at most five, as a sequence of names or in one string with
      commas between; the same kind may come several times. They go to the upper, right, lower,
      left and central room, in this order.
    max_episode_steps: length of an episode.

  Raises:
    ValueError: one line, for an unknown kind, too many objects, or no steps.
  """

  def __init__(self, objects: str | Iterable[str] = KINDS, max_episode_steps: int = 500):
    world = maps.parse(maps.FIVE_ROOMS)
    start = world.room_centre(0)
    rooms = zip(_kinds(objects), ROOM_ORDER, strict=False)
    things = [somewhere(kind, world, room, start) for kind, room in rooms]
    super().__init__(world, start, things, max_episode_steps)
