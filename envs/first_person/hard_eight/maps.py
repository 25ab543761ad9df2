"""Maps of a task as arrays: drawn once by NumPy, turned, and kept, a row a map."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.environment import Reference
from envs.first_person.hard_eight import kinds
from envs.first_person.hard_eight.layouts import Layout, turned
from envs.first_person.scene import N

TRAIN, HELD_OUT = 32, 8
MAPS = TRAIN + HELD_OUT
"""Of each task: the first to train on."""
DRAWN = 16
"""Boxes of a map at most that are ever seen."""


class Bank(NamedTuple):
  """Maps, each with its task's numbers, [R, ...]; or one map, without that axis.

  Attributes:
    steps: until an episode is truncated, int32.
    link: events of the chain in their order, int32 [L]; -1 for no more.
    solid, void: cells as bits, uint32 [17].
    floor: its kinds, uint8 [17, 17].
    cells: numbers of the cells of each area in random order, int32 [A, 96].
    listed: how many those are, int32 [A].
    kind, width, height, base, area: of each thing: its kind, cells a side, cells high, the height
      that it begins at and the area that it begins in, [K]; the agent begins in area 0.
    gate: what each gate is opened by, int32 [G].
    match: whether by things of the colour of the first thing only, bool [G].
    door, plate: corners, float32 [G, 2, 3].
    touch: middles of the plates, float32 [G, 3].
    normal: where they face, float32 [G, 2].
    span: cells of the chasm that an open gate leads over, uint32 [G, 17].
    fixed: corners of boxes that nothing moves, float32 [F, 2, 3].
    shown: of all boxes, in the order of `view.boxes`, those that may be seen, int32 [16].
    apple: its foot, float32 [3].
    mark: places that the oracle knows, float32 [M, 3].
  """

  steps: Any
  link: Any
  solid: Any
  void: Any
  floor: Any
  cells: Any
  listed: Any
  kind: Any
  width: Any
  height: Any
  base: Any
  area: Any
  gate: Any
  match: Any
  door: Any
  plate: Any
  touch: Any
  normal: Any
  span: Any
  fixed: Any
  shown: Any
  apple: Any
  mark: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
  """One of the eight.

  Attributes:
    name: after "hard_eight/".
    seed: its map k is drawn by `default_rng(seed + k)`.
    steps: until an episode is truncated.
    links: of its chain, in their order: what each is called, and which of `kinds.EVENTS` it is.
    draw: a map of it.
    plan: the oracle: (map, state) -> what is to be done next, see `oracle.Errand`.
    oracle, random: what those score; see `measure`.
  """

  name: str
  seed: int
  steps: int
  links: dict[str, str]
  draw: Callable[[np.random.Generator], Layout]
  plan: Callable[[Bank, Any], Any]
  oracle: Reference
  random: Reference


def drawn(task: Task, k: int) -> Layout:
  """Map k of a task, 0 to 39."""
  rng = np.random.default_rng(task.seed + k)
  layout = turned(task.draw(rng), int(rng.integers(8)))
  for area in layout.areas:
    rng.shuffle(area)
  return layout


def _bits(cells: np.ndarray) -> np.ndarray:
  return (cells.astype(np.uint32) << (31 - np.arange(N, dtype=np.uint32))).sum(-1, dtype=np.uint32)


def _padded(values: list, count: int, fill: Any, dtype: type) -> np.ndarray:
  empty: np.ndarray = np.broadcast_to(
    np.asarray(fill, dtype), (count - len(values), *np.shape(fill))
  )
  return np.concatenate([np.asarray(values, dtype).reshape(-1, *np.shape(fill)), empty])


def _row(task: Task, layout: Layout) -> Bank:
  """A map in numbers."""
  box, things, gates = np.zeros((2, 3)), layout.things, layout.gates
  numbers = [[row * N + column for row, column in area] for area in layout.areas]
  span = np.zeros((kinds.GATES, N, N), bool)
  for g, gate in enumerate(gates):
    for cell in gate.span:
      span[g][cell] = True
  shown = [*range(len(gates))]
  shown += [
    kinds.GATES + g for g, gate in enumerate(gates) if (gate.plate[1] > gate.plate[0]).all()
  ]
  first = 2 * kinds.GATES
  shown += [first + kinds.THINGS + k for k in range(len(layout.fixed))]
  shown += [first + k for k in range(len(things))]
  if any(thing.kind == kinds.BAT for thing in things):
    shown.append(first + kinds.THINGS + kinds.FIXED)
  off = first + kinds.THINGS - 1
  chain = [kinds.EVENTS.index(event) for event in task.links.values()]
  return Bank(
    steps=np.int32(task.steps),
    link=_padded(chain, kinds.LINKS, -1, np.int32),
    solid=_bits(~layout.open),
    void=_bits(layout.void),
    floor=layout.floor.astype(np.uint8),
    cells=np.stack(
      [_padded(area, kinds.LISTED, 0, np.int32) for area in numbers]
      + [np.zeros(kinds.LISTED, np.int32)] * (kinds.AREAS - len(numbers))
    ),
    listed=_padded([max(len(area), 1) for area in numbers], kinds.AREAS, 1, np.int32),
    kind=_padded([t.kind for t in things], kinds.THINGS, kinds.NONE, np.int32),
    width=_padded([t.width for t in things], kinds.THINGS, 0.1, np.float32),
    height=_padded([t.height for t in things], kinds.THINGS, 0.1, np.float32),
    base=_padded([t.base for t in things], kinds.THINGS, 0, np.float32),
    area=_padded([t.area for t in things], kinds.THINGS, 0, np.int32),
    gate=_padded([g.opened_by for g in gates], kinds.GATES, kinds.ABSENT, np.int32),
    match=_padded([g.match for g in gates], kinds.GATES, False, np.bool_),
    door=_padded([g.door for g in gates], kinds.GATES, box, np.float32),
    plate=_padded([g.plate for g in gates], kinds.GATES, box, np.float32),
    touch=_padded([g.touch for g in gates], kinds.GATES, box[0], np.float32),
    normal=_padded([g.normal for g in gates], kinds.GATES, box[0, :2], np.float32),
    span=_bits(span),
    fixed=_padded(layout.fixed, kinds.FIXED, box, np.float32),
    shown=_padded(shown, DRAWN, off, np.int32),
    apple=np.asarray(layout.apple, np.float32),
    mark=_padded(layout.marks, kinds.MARKS, box[0], np.float32),
  )


@functools.cache
def bank_of(tasks: tuple[Task, ...]) -> Bank:
  """The maps of tasks, 40 each, in their order."""
  rows = [_row(task, drawn(task, k)) for task in tasks for k in range(MAPS)]
  return Bank(*(np.stack(column) for column in zip(*rows, strict=True)))


def map_of(bank: Bank, row: jax.Array) -> Bank:
  """One map of a bank."""
  return Bank(*(jnp.asarray(column)[row] for column in bank))
