"""Drawbridge: platforms in a chasm, a key on each of a way, which lowers one of two bridges."""

from __future__ import annotations

import functools
import itertools

import jax.numpy as jnp
import numpy as np

from envs.environment import Reference, registry
from envs.first_person.draws import choose
from envs.first_person.hard_eight import kinds, layouts
from envs.first_person.hard_eight.environment import HardEight
from envs.first_person.hard_eight.layouts import SIDES, Cell, Gate, Layout, Thing, block_of
from envs.first_person.hard_eight.maps import Bank, Task
from envs.first_person.hard_eight.oracle import Errand, fetch, go, touch
from envs.first_person.hard_eight.state import NOTHING, State

FIRST, APART, BRIDGES = 2, 5, 3
"""The first platform's row and column, from one to the next, and bridges of the way."""
RAISED = 0.7
"""Cells that a raised bridge is high."""


def _beside(at: Cell) -> list[Cell]:
  around = [(at[0] + down, at[1] + right) for down, right in SIDES]
  return [other for other in around if min(other) >= 0 and max(other) < 3]


def _way(rng: np.random.Generator) -> tuple[list[Cell], list[Cell]]:
  """Platforms of a way, and for each but the last one that a wrong bridge leads to."""
  while True:
    way = [(int(rng.integers(3)), int(rng.integers(3)))]
    for _ in range(BRIDGES):
      nearby = [other for other in _beside(way[-1]) if other not in way]
      if nearby:
        way.append(nearby[rng.integers(len(nearby))])
    wrong = [[other for other in _beside(at) if other not in way] for at in way[:-1]]
    if len(way) > BRIDGES and all(wrong):
      return way, [others[rng.integers(len(others))] for others in wrong]


def _bridge(at: Cell, to: Cell) -> Gate:
  """A raised bridge from one platform to the next."""
  down, right = to[0] - at[0], to[1] - at[1]
  row, column = (FIRST + APART * part + 1 for part in at)
  edge = (row + down, column + right)
  x, y, _ = layouts.centre(edge)
  x, y = x + 0.55 * right, y + 0.55 * down
  half = (0.05 if right else 0.5, 0.05 if down else 0.5)
  door = np.array([[x - half[0], y - half[1], 0], [x + half[0], y + half[1], RAISED]])
  gate = layouts.with_plate(door, kinds.SPEND, edge, (down, right), out=0.46)
  gate.span = [(row + k * down, column + k * right) for k in (2, 3)]
  return gate


def draw(rng: np.random.Generator) -> Layout:
  """A lattice of 3 x 3 platforms of 3 x 3 cells, two cells apart."""
  layout = layouts.empty(1 + BRIDGES)
  layout.carve(block_of(FIRST, FIRST, 13, 13), kinds.CHASM)
  for i, j in np.ndindex(3, 3):
    layout.carve(block_of(FIRST + APART * i, FIRST + APART * j, 3, 3))
  way, wrong = _way(rng)
  layout.gates = [_bridge(at, to) for at, to in itertools.pairwise(way)]
  layout.gates += [_bridge(at, to) for at, to in zip(way, wrong, strict=False)]
  cells = [block_of(FIRST + APART * i, FIRST + APART * j, 3, 3) for i, j in way]
  layout.areas = [cells[0][1::2], *(platform[::2] for platform in cells[:BRIDGES])]
  layout.things = [Thing(kinds.KEY, 0.25, 0.25, 1 + k) for k in range(BRIDGES)]
  layout.apple = layouts.centre(cells[-1][4])
  return layout


def plan(level: Bank, state: State) -> Errand:
  """Fetches the key of each platform and lowers the bridge that leads on."""
  shut = ~state.opened[:BRIDGES]
  bridge = jnp.argmax(shut)
  errand = choose(state.held != NOTHING, touch(level, state, bridge), fetch(level, state, bridge))
  return choose(shut.any(), errand, go(level.apple))


TASK = Task(
  "drawbridge",
  seed=8600,
  steps=800,
  links={
    "lifted": "lifted",
    "bridge 1": "opened",
    "bridge 2": "second opened",
    "bridge 3": "third opened",
    "apple": "apple",
  },
  draw=draw,
  plan=plan,
  oracle=Reference(1.0, 1.0, 110.3, 0.335),
  random=Reference(0.0, 0.0, 800.0, 0.0),
)
registry.register("hard_eight/drawbridge", summary="Keys lower bridges; one way leads on.")(
  functools.partial(HardEight, (TASK,))
)
