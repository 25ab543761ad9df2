"""Throw across: two doors want a key each, and only one can be carried through a one-way gate."""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np

from envs.environment import Reference, registry
from envs.first_person.draws import choose
from envs.first_person.hard_eight import kinds, layouts, rules
from envs.first_person.hard_eight.environment import HardEight
from envs.first_person.hard_eight.layouts import Gate, Layout, Thing, block_of, centre, door_at
from envs.first_person.hard_eight.maps import Bank, Task
from envs.first_person.hard_eight.oracle import ARRIVED, Errand, errand, fetch, go, touch
from envs.first_person.hard_eight.state import NOTHING, State

LEG, LEFT = 8, 1
"""Cells of the legs of the U, and its first column."""


def draw(rng: np.random.Generator) -> Layout:
  """A U about a chasm: keys at one tip, doors at the other, a one-way gate at the bottom."""
  layout = layouts.empty(2)
  top = int(rng.integers(1, 6))
  bottom, right = top + LEG, LEFT + 6
  layout.carve(block_of(top, LEFT, LEG, 3) + block_of(bottom, LEFT, 3, 4))
  layout.carve(block_of(top, LEFT + 3, LEG, 3), kinds.CHASM)
  layout.carve(block_of(top, right, LEG, 3) + block_of(bottom, LEFT + 5, 3, 4), kinds.FAR)
  layout.carve(block_of(top, right + 4, 3, 2), kinds.FAR)
  layout.carve(block_of(top, right + 7, 3, 2), kinds.CHAMBER)
  gate = (bottom + int(rng.integers(3)), LEFT + 4)
  doors = [(top + int(rng.integers(3)), right + 3), (top + int(rng.integers(3)), right + 6)]
  layout.carve([gate, *doors], kinds.DOOR)
  plates = [(top, right + int(rng.integers(3))), (top, right + 4 + int(rng.integers(2)))]
  layout.gates = [
    layouts.with_plate(door_at(*door), kinds.SPEND, plate, (-1, 0))
    for door, plate in zip(doors, plates, strict=True)
  ]
  nothing = np.zeros((2, 3))
  one_way = Gate(door_at(*gate), kinds.ONE_WAY, nothing, centre(gate), np.array([-1.0, 0]))
  layout.gates.append(one_way)
  layout.areas = [block_of(bottom, LEFT, 3, 3), block_of(top, LEFT, 2, 3)]
  layout.things = [Thing(kinds.KEY, 0.25, 0.25, 1)] * 2
  layout.apple = centre((top + int(rng.integers(3)), right + 8))
  layout.marks = [centre((top + 4, LEFT + 2)), centre((top + 4, right + 1), 0.5)]
  return layout


def plan(level: Bank, state: State) -> Errand:
  """Throws a key over the chasm, carries the other round."""
  floor = rules.floor_at(level, state.x, state.y)
  here = (floor == kinds.FAR) | (floor == kinds.DOOR) & state.filled[2]
  lies = state.on & (jnp.arange(kinds.THINGS) != state.held)
  there = rules.floor_at(level, state.foot[:, 0], state.foot[:, 1]) == kinds.FAR
  throws = ~here & ~(lies & there).any()
  key = jnp.argmax(lies & (there == here))
  over = errand(level.mark[0], ARRIVED, level.mark[1], carry=True, throw=True)
  gate = jnp.where(state.opened[0], 1, 0)
  with_key = choose(throws, over, touch(level, state, gate))
  errands = choose(state.held != NOTHING, with_key, fetch(level, state, key))
  done = state.opened[0] & state.opened[1]
  return choose(done, go(level.apple), errands)


TASK = Task(
  "throw_across",
  seed=8700,
  steps=800,
  links={
    "lifted": "lifted",
    "thrown": "across",
    "round": "far",
    "door 1": "opened",
    "door 2": "second opened",
    "apple": "apple",
  },
  draw=draw,
  plan=plan,
  oracle=Reference(1.0, 1.0, 264.0, 0.072),
  random=Reference(0.0, 0.0, 800.0, 0.0),
)
registry.register("hard_eight/throw_across", summary="One key is thrown, one carried round.")(
  functools.partial(HardEight, (TASK,))
)
