"""Remember sensor: the plate's colour, seen at the start, tells which far cube is to be fetched."""

from __future__ import annotations

import functools

import numpy as np

from envs.environment import Reference, registry
from envs.first_person.draws import choose
from envs.first_person.hard_eight import kinds, layouts
from envs.first_person.hard_eight.environment import HardEight
from envs.first_person.hard_eight.layouts import Layout, Thing, block_of
from envs.first_person.hard_eight.maps import Bank, Task
from envs.first_person.hard_eight.oracle import Errand, fetch, go, touch
from envs.first_person.hard_eight.state import NOTHING, State


def draw(rng: np.random.Generator) -> Layout:
  """A lobby with the plate, a bent corridor of nine cells with two strips, a room of six cubes."""
  layout = layouts.empty(2)
  lobby = block_of(10, 1, 4, 4)
  corridor = block_of(5, 2, 5, 1) + block_of(5, 3, 1, 4)
  room = block_of(int(rng.integers(2, 5)), 7, 5, 5)
  chamber = block_of(10, 6, 4, 4)
  layout.carve(lobby)
  layout.carve(corridor)
  layout.carve(room, kinds.FAR)
  layout.carve(chamber, kinds.CHAMBER)
  strips = rng.choice(len(corridor), 2, replace=False)
  layout.carve([corridor[k] for k in strips], kinds.STRIP)
  door, plate = (int(row) for row in rng.choice(np.arange(10, 14), 2, replace=False))
  layout.carve([(door, 5)], kinds.DOOR)
  layout.gates = [
    layouts.with_plate(layouts.door_at(door, 5), kinds.LATCH, (plate, 4), (0, 1), match=True)
  ]
  # Every other cell of every other row, so that each cube can be come to.
  spread = [c for c in room if not (c[0] - room[0][0]) % 2 and not (c[1] - room[0][1]) % 2]
  layout.areas = [[c for c in lobby if c[1] < 4], [c for c in spread if c != (5, 7)]]
  layout.things = [Thing(kinds.CUBE, 0.4, 0.4, 1)] * 6
  row, column = chamber[rng.integers(len(chamber))]
  layout.apple = layouts.centre((row, max(column, 7)))
  return layout


def plan(level: Bank, state: State) -> Errand:
  """Fetches the cube of the plate's colour."""
  errand = choose(state.held != NOTHING, touch(level, state, 0), fetch(level, state, 0))
  return choose(state.opened[0], go(level.apple), errand)


TASK = Task(
  "remember_sensor",
  seed=8300,
  steps=1200,
  links={
    "any lifted": "lifted",
    "right lifted": "first lifted",
    "opened": "opened",
    "apple": "apple",
  },
  draw=draw,
  plan=plan,
  oracle=Reference(1.0, 0.82, 163.7, 0.095),
  random=Reference(0.0, -0.153, 1200.0, -0.006),
)
registry.register("hard_eight/remember_sensor", summary="A far cube of the plate's colour opens.")(
  functools.partial(HardEight, (TASK,))
)
