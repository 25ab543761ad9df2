"""Wall sensor stack: a plate too high for one cube keeps the door open while two reach it."""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np

from envs.environment import Reference, registry
from envs.first_person.draws import choose
from envs.first_person.hard_eight import kinds, layouts, view
from envs.first_person.hard_eight.environment import HardEight
from envs.first_person.hard_eight.maps import Bank, Task
from envs.first_person.hard_eight.oracle import STAND, Errand, errand, fetch, go
from envs.first_person.hard_eight.state import State

PLACED = 0.3
"""Cells within which a cube lies where it is wanted."""


def draw(rng: np.random.Generator) -> layouts.Layout:
  """A room of 6 x 6 with two cubes, its plate far from the door."""
  layout = layouts.two_rooms(rng, 6, kinds.HOLD, 0.75, apart=5, clear=2.2)
  layout.things = [layouts.Thing(kinds.CUBE, 0.5, 0.5, 0)] * 2
  return layout


def plan(level: Bank, state: State) -> Errand:
  """Lays a cube before the plate, and the other upon it."""
  plate, normal = level.touch[0], level.normal[0]
  base = plate[:2] + normal * level.width[0] / 2
  off = jnp.linalg.norm(view.middles(level, state)[:, :2] - base, axis=-1)
  lies = (off < PLACED) & (jnp.arange(kinds.THINGS) != state.held)
  low, high = lies & (state.foot[:, 2] < 0.1), lies & (state.foot[:, 2] > 0.4)
  cube = jnp.where(low[0], 1, 0)
  aim = jnp.concatenate([base, jnp.where(low[0], 0.8, 0.35)[None]])
  carry = jnp.linalg.norm(view.middles(level, state)[cube] - aim) > 0.06
  reach = jnp.linalg.norm(aim - view.eye(state))
  put = errand(plate[:2] + STAND * normal, 0.1, aim, carry=carry, reach=reach)
  stacks = choose(state.held == cube, put, fetch(level, state, cube))
  return choose(low[0] & high[1], go(level.apple), stacks)


TASK = Task(
  "wall_sensor_stack",
  seed=8100,
  steps=800,
  links={"lifted": "lifted", "stacked": "stacked", "opened": "opened", "apple": "apple"},
  draw=draw,
  plan=plan,
  oracle=Reference(1.0, 1.0, 136.5, 0.259),
  random=Reference(0.0, 0.0, 800.0, 0.0),
)
registry.register("hard_eight/wall_sensor_stack", summary="Two cubes, stacked, keep a door open.")(
  functools.partial(HardEight, (TASK,))
)
