"""Wall sensor: a key that is held to a plate on a wall opens the door to the apple."""

from __future__ import annotations

import functools

import numpy as np

from envs.environment import Reference, registry
from envs.first_person.draws import choose
from envs.first_person.hard_eight import kinds, layouts
from envs.first_person.hard_eight.environment import HardEight
from envs.first_person.hard_eight.maps import Bank, Task
from envs.first_person.hard_eight.oracle import Errand, fetch, go, touch
from envs.first_person.hard_eight.state import NOTHING, State


def draw(rng: np.random.Generator) -> layouts.Layout:
  """A room of 6 x 6, the key on its floor."""
  layout = layouts.two_rooms(rng, 6, kinds.LATCH, match=True)
  layout.things = [layouts.Thing(kinds.KEY, 0.25, 0.25, 0)]
  return layout


def plan(level: Bank, state: State) -> Errand:
  """Fetches the key, touches the plate, goes to the apple."""
  errand = choose(state.held != NOTHING, touch(level, state, 0), fetch(level, state, 0))
  return choose(state.opened[0], go(level.apple), errand)


TASK = Task(
  "wall_sensor",
  seed=8000,
  steps=400,
  links={"lifted": "lifted", "opened": "opened", "apple": "apple"},
  draw=draw,
  plan=plan,
  oracle=Reference(1.0, 1.0, 81.0, 0.451),
  random=Reference(0.0, 0.0, 400.0, 0.0),
)
registry.register("hard_eight/wall_sensor", summary="A key held to a plate opens a door.")(
  functools.partial(HardEight, (TASK,))
)
