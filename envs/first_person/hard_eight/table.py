"""What the tasks are made of: a row of numbers each, so that one masked step plays all of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

THINGS, GATES, LINKS, COLOURS = 6, 1, 4, 6
"""Of a task at most: things that can be moved, gates, links of its chain; colours drawn."""

NONE, KEY, CUBE, BLOCK = range(4)
"""Kinds of things: keys and cubes are lifted, and touched to plates; cubes stand in the way and
carry what is put on them; blocks are pushed."""
KINDS = ("key", "cube", "block")
ABSENT, LATCH, HOLD, RECESS = range(4)
"""What a gate is opened by: nothing, a touch for good, a touch for as long as it lasts, or a block
of its colour that sinks into it."""
LIFTED, STACKED, PUSHED, OPENED, APPLE = range(5)
"""Events that are links of a chain."""


class Task(NamedTuple):
  """Of one task, or, with a leading axis, of all; arrays of NumPy, or of JAX in a step.

  Attributes:
    steps: until an episode is truncated.
    kind: of each thing, int [K].
    size: of each thing, cells a side, float [K].
    area: of the map, whose cells the thing begins in, int [K]; the agent begins in area 0.
    gate: what each gate is opened by, int [G].
    match: whether a gate is opened by things of the colour of the first thing only, bool [G].
    link: events of its chain in their order, int [L]; -1 for no more.
  """

  steps: Any
  kind: Any
  size: Any
  area: Any
  gate: Any
  match: Any
  link: Any


def _padded(values: tuple, count: int, fill: float, dtype: type) -> np.ndarray:
  return np.array(values + (fill,) * (count - len(values)), dtype)


def _task(
  steps: int,
  things: tuple[tuple[int, float, int], ...],
  gates: tuple[tuple[int, bool], ...],
  links: tuple[int, ...],
) -> Task:
  """Of things (kind, size, area), gates (what by, of one colour) and links."""
  kind, size, area = zip(*things, strict=True)
  gate, match = zip(*gates, strict=True)
  return Task(
    steps,
    _padded(kind, THINGS, NONE, np.int32),
    _padded(size, THINGS, 0.1, np.float32),
    _padded(area, THINGS, 0, np.int32),
    _padded(gate, GATES, ABSENT, np.int32),
    _padded(match, GATES, False, np.bool_),
    _padded(links, LINKS, -1, np.int32),
  )


_TASKS = {
  "wall_sensor": _task(400, ((KEY, 0.25, 0),), ((LATCH, False),), (LIFTED, OPENED, APPLE)),
  "wall_sensor_stack": _task(
    800, ((CUBE, 0.5, 0),) * 2, ((HOLD, False),), (LIFTED, STACKED, OPENED, APPLE)
  ),
  "push_blocks": _task(600, ((BLOCK, 0.8, 1),) * 4, ((RECESS, True),), (PUSHED, OPENED, APPLE)),
}
NAMES = tuple(_TASKS)
_COLUMNS = zip(*_TASKS.values(), strict=True)
TABLE = Task(*(np.stack([np.asarray(x) for x in column]) for column in _COLUMNS))
LINK_NAMES = ("lifted", "stacked", "pushed", "opened", "apple")


def index(name: str) -> int:
  """The number of a task; ValueError for any other name."""
  return NAMES.index(name)
