"""Navigate cubes: push a way through a row of blocks, then find the ramp of a platform."""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np

from envs.environment import Reference, registry
from envs.first_person.draws import choose
from envs.first_person.hard_eight import kinds, layouts
from envs.first_person.hard_eight.environment import HardEight
from envs.first_person.hard_eight.layouts import Layout, Thing, block_of, centre
from envs.first_person.hard_eight.maps import Bank, Task
from envs.first_person.hard_eight.oracle import Errand, go, push
from envs.first_person.hard_eight.state import State
from envs.first_person.scene import N

DEEP, WIDE, ROW = 13, 9, 4
"""Cells of the room, and the row of blocks in it."""
RAMP, PLATFORM = 0.2, 0.4
"""Cells high."""
PUSHED = 1.9
"""Cells by which the oracle pushes a block."""


def draw(rng: np.random.Generator) -> Layout:
  """A room of 13 x 9, the row of blocks across it, a platform of 3 x 3 with a ramp beyond."""
  layout = layouts.empty(2)
  top, left = int(rng.integers(1, N - DEEP)), int(rng.integers(1, N - WIDE))
  near, far = block_of(top, left, ROW, WIDE), block_of(top + ROW, left, DEEP - ROW, WIDE)
  layout.carve(near)
  layout.carve(far[:WIDE], kinds.SUNKEN)
  layout.carve(far[WIDE:], kinds.FAR)
  layout.areas = [near[:-WIDE], far[:WIDE]]
  layout.things = [Thing(kinds.BLOCK, 0.9, 0.9, 1)] * WIDE
  row, column = top + 8, int(rng.integers(left + 2, left + 5))
  down, right = layouts.SIDES[rng.integers(4)]
  ramp = (row + 1 + 2 * down, column + 1 + 2 * right)
  layout.fixed = [
    np.array([[column, row, 0], [column + 3, row + 3, PLATFORM]]),
    np.array([[ramp[1], ramp[0], 0], [ramp[1] + 1, ramp[0] + 1, RAMP]]),
  ]
  layout.apple = centre((row + 1, column + 1), PLATFORM)
  # The block at the end of the row that is farther from the platform is out of the way.
  end = left if column + 1 > left + 4 else left + WIDE - 1
  before = centre((ramp[0] + down, ramp[1] + right))
  layout.marks = [before, centre((top + ROW, end)) + np.array([0, PUSHED, 0])]
  return layout


def plan(level: Bank, state: State) -> Errand:
  """Pushes the block at the end of the row, goes round to the ramp and up."""
  before, to = level.mark[0], level.mark[1, :2]
  away = jnp.where((level.kind == kinds.BLOCK)[:, None], state.foot[:, :2] - to, jnp.inf)
  off = jnp.linalg.norm(away, axis=-1)
  block = jnp.argmin(off)
  ahead = (level.apple - before)[:2] / jnp.linalg.norm((level.apple - before)[:2])
  at = jnp.stack([state.x, state.y]) - before[:2]
  along, aside = (at * ahead).sum(), jnp.abs(at[0] * ahead[1] - at[1] * ahead[0])
  up = (along > -0.3) & (along < 4) & (aside < 0.2)
  walks = go(jnp.where(up, level.apple, before), direct=up)
  return choose(off[block] < 0.1, walks, push(level, state, block, to))


TASK = Task(
  "navigate_cubes",
  seed=8500,
  steps=800,
  links={"pushed": "pushed", "through": "far", "climbed": "climbed", "apple": "apple"},
  draw=draw,
  plan=plan,
  oracle=Reference(1.0, 1.0, 81.8, 0.448),
  random=Reference(0.0045, 0.0045, 799.3, 0.0),
)
registry.register("hard_eight/navigate_cubes", summary="Through a row of blocks, up a ramp.")(
  functools.partial(HardEight, (TASK,))
)
