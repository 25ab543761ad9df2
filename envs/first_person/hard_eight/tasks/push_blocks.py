"""Push blocks: of four blocks that of the recess's colour, pushed into it, opens the door."""

from __future__ import annotations

import functools

import numpy as np

from envs.environment import Reference, registry
from envs.first_person.draws import choose
from envs.first_person.hard_eight import kinds, layouts
from envs.first_person.hard_eight.environment import HardEight
from envs.first_person.hard_eight.layouts import Gate, Layout, Thing, centre
from envs.first_person.hard_eight.maps import Bank, Task
from envs.first_person.hard_eight.oracle import Errand, go, push
from envs.first_person.hard_eight.state import State


def _can_be_pushed(block: np.ndarray, recess: np.ndarray, others: set, room: set) -> bool:
  """Whether a block comes to a recess along one axis and then the other, and a body behind it."""
  for axis in (0, 1):
    first, second = (recess - block) * np.eye(2, dtype=int)[[axis, 1 - axis]]
    ahead, aside = np.sign(first), np.sign(second)
    corner = block + first
    way = [block + ahead * k for k in range(-1, abs(first.sum()) + 1)]
    way += [corner + aside * k for k in range(-1, abs(second.sum()) + 1)]
    cells = {(int(row), int(column)) for row, column in way}
    if first.any() and second.any() and cells <= room and not cells & others:
      return True
  return False


def draw(rng: np.random.Generator) -> Layout:
  """A room of 8 x 8, a recess in its floor, and blocks that can be pushed to it."""
  layout = layouts.two_rooms(rng, 8, kinds.RECESS, apart=0.0, clear=0.0)
  room = layouts.cells_of(layout, kinds.ROOM)
  inner = layouts.inner(room, 1)
  while True:
    recess, *blocks = (inner[k] for k in rng.choice(len(inner), 5, replace=False))
    if all(
      _can_be_pushed(np.array(b), np.array(recess), set(blocks) - {b}, set(room)) for b in blocks
    ):
      break
  middle, half = centre(recess), np.array([0.45, 0.45, 0])
  plate = np.stack([middle - half, middle + half + [0, 0, 0.02]])
  door = layout.gates[0].door
  layout.gates = [Gate(door, kinds.RECESS, plate, middle, np.zeros(2), match=True)]
  layout.floor[recess] = kinds.SUNKEN
  layout.areas = [[cell for cell in room if cell not in inner], blocks]
  layout.things = [Thing(kinds.BLOCK, 0.8, 0.8, 1)] * 4
  return layout


def plan(level: Bank, state: State) -> Errand:
  """Pushes the first block to the recess."""
  return choose(state.opened[0], go(level.apple), push(level, state, 0, level.touch[0, :2]))


TASK = Task(
  "push_blocks",
  seed=8200,
  steps=600,
  links={"pushed": "pushed", "opened": "opened", "apple": "apple"},
  draw=draw,
  plan=plan,
  oracle=Reference(1.0, 1.0, 118.7, 0.311),
  random=Reference(0.0, 0.0, 600.0, 0.0),
)
registry.register("hard_eight/push_blocks", summary="The right block, pushed, opens a door.")(
  functools.partial(HardEight, (TASK,))
)
