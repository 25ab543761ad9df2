"""Opponents of lasertag: where they walk, whom they tag and who tags them."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.body import aims_at, camera_of, sees
from envs.first_person.draws import cell_of, middle, whole
from envs.first_person.labyrinth import layouts, maps
from envs.first_person.labyrinth.maps import SPOTS, Bank
from envs.first_person.labyrinth.state import State, Things
from envs.first_person.scene import N, Scene

BOTS = 3
SPEED = 0.2
"""Cells an opponent walks in a step (ours)."""
RANGE, CHANCE, AIM = 6.0, 0.1, 6.0
"""Cells within which an opponent tags whom it sees, with this chance a step; degrees within which
the agent's `use` hits."""
FIRST, LEVELS = 9, 4
"""The levels with opponents follow one another."""
ARRIVED = 4


@functools.cache
def flows() -> np.ndarray:
  """Where to go next from each cell to each of a map's spots, uint8 [160, 16, 289].

  0 to 3 are the `layouts.STEPS`; 4 where one has arrived, or cannot go.
  """
  bank = maps.load()
  rows = range(FIRST * maps.MAPS, (FIRST + LEVELS) * maps.MAPS)
  return np.stack([[_flow(bank.open[row], int(cell)) for cell in spots(row)] for row in rows])


def spots(row: int) -> np.ndarray:
  """The cells that opponents of a map walk to, int [16]."""
  return maps.load().cells[row, :SPOTS]


def _flow(free: np.ndarray, target: int) -> np.ndarray:
  steps = layouts.distances(free, [(target // N, target % N)])
  far = np.where(steps < 0, N * N, steps)
  beside = np.stack([np.roll(far, -step, (0, 1)) for step in layouts.STEPS])
  nearer = beside.min(0) < far
  return np.where(nearer & free, beside.argmin(0), ARRIVED).astype(np.uint8).reshape(-1)


class Tagged(NamedTuple):
  """What a step of opponents did.

  Attributes:
    things, target: as they are now.
    hits: opponents that the agent tagged, float32.
    tagged: whether one tagged the agent, bool.
  """

  things: Things
  target: jax.Array
  hits: jax.Array
  tagged: jax.Array


def step(
  bank: Bank, row: jax.Array, scene: Scene, state: State, using: jax.Array, drawn: jax.Array
) -> Tagged:
  """Opponents are tagged, then walk, then tag; of another level the result means nothing.

  Args:
    bank: of all maps.
    row: of the map.
    scene: its walls.
    state: after the agent's move.
    using: whether the agent tags.
    drawn: from [0, 1), float32 [7 or more].
  """
  things, eye = state.things, camera_of(state.pose)
  x, y, on = things.x[:BOTS], things.y[:BOTS], things.on[:BOTS]
  points = jnp.stack([x, y, jnp.full_like(x, 0.5)], -1)
  clear = sees(scene, eye, points) & on
  hit = clear & using & aims_at(eye, points, float(N * N), AIM)
  listed = jnp.asarray(bank.listed)[row].astype(jnp.int32)
  again = jnp.asarray(bank.cells)[row, whole(drawn[:BOTS], listed)]
  flow_row = jnp.clip(row - FIRST * maps.MAPS, 0, LEVELS * maps.MAPS - 1)
  here = jnp.clip(cell_of(x, y), 0, N * N - 1)
  way = jnp.asarray(flows())[flow_row, state.target, here].astype(jnp.int32)
  arrived = way == ARRIVED
  ahead = jnp.asarray(np.append(layouts.STEPS @ [N, 1], 0))[way]
  to_x, to_y = middle(here + ahead)
  by_x, by_y = to_x - x, to_y - y
  share = jnp.minimum(1, SPEED / jnp.maximum(jnp.hypot(by_x, by_y), 1e-6))
  again_x, again_y = middle(again)
  x = jnp.where(hit, again_x, x + share * by_x)
  y = jnp.where(hit, again_y, y + share * by_y)
  target = jnp.where(arrived, whole(drawn[BOTS : 2 * BOTS], SPOTS), state.target)
  near = clear & ~hit & (jnp.hypot(eye.x - x, eye.y - y) <= RANGE)
  none = (1 - CHANCE) ** near.sum()
  return Tagged(
    things._replace(x=things.x.at[:BOTS].set(x), y=things.y.at[:BOTS].set(y)),
    target,
    hit.sum(dtype=jnp.float32),
    drawn[2 * BOTS] >= none,
  )
