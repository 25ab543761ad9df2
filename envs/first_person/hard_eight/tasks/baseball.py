"""Baseball: a bat strikes the ball off a plinth; the ball, held to a plate, opens the door."""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np

from envs.environment import Reference, registry
from envs.first_person.draws import choose
from envs.first_person.hard_eight import kinds, layouts, view
from envs.first_person.hard_eight.environment import HardEight
from envs.first_person.hard_eight.layouts import Layout, Thing
from envs.first_person.hard_eight.maps import Bank, Task
from envs.first_person.hard_eight.oracle import Errand, errand, fetch, go, touch
from envs.first_person.hard_eight.state import State

BALL, STICK = range(2)
PLINTH, WIDE = 1.2, 0.25
"""Cells high, and from its middle to a side."""
FARTHEST, NEAREST = 1.6, 1.3
"""Cells from the ball at which the oracle strikes it."""


def draw(rng: np.random.Generator) -> Layout:
  """A room of 8 x 8, the plinth away from its walls."""
  layout = layouts.two_rooms(rng, 8, kinds.LATCH, match=True)
  inner = layouts.inner(layouts.cells_of(layout, kinds.ROOM), 2)
  plinth = inner[rng.integers(len(inner))]
  x, y, _ = layouts.centre(plinth)
  layout.fixed = [np.array([[x - WIDE, y - WIDE, 0], [x + WIDE, y + WIDE, PLINTH]])]
  layout.areas = [[cell for cell in layout.areas[0] if cell != plinth], [plinth]]
  layout.things = [Thing(kinds.KEY, 0.3, 0.3, 1, PLINTH), Thing(kinds.BAT, 0.15, 0.6, 0)]
  return layout


def plan(level: Bank, state: State) -> Errand:
  """Fetches the bat, strikes, fetches the ball, touches the plate."""
  ball = view.middles(level, state)[BALL]
  reach = jnp.linalg.norm(ball - view.eye(state)) - view.TIP
  strike = errand(ball, FARTHEST, ball, NEAREST, carry=True, reach=reach)
  first = choose(state.held == STICK, strike, fetch(level, state, STICK))
  then = choose(state.held == BALL, touch(level, state, 0), fetch(level, state, BALL))
  high = ball[2] >= view.HIGH
  return choose(state.opened[0], go(level.apple), choose(high, first, then))


TASK = Task(
  "baseball",
  seed=8400,
  steps=800,
  links={
    "bat lifted": "second lifted",
    "struck": "struck",
    "ball lifted": "first lifted",
    "opened": "opened",
    "apple": "apple",
  },
  draw=draw,
  plan=plan,
  oracle=Reference(1.0, 1.0, 132.8, 0.27),
  random=Reference(0.0, 0.0, 800.0, 0.0),
)
registry.register("hard_eight/baseball", summary="A ball struck off its plinth opens a door.")(
  functools.partial(HardEight, (TASK,))
)
