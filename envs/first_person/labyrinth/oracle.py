"""Plays every level as one who knows all that is hidden: a compiled function of the state.

It goes to the nearest thing that is worth going to, around all that is not: a flood over the cells
from the targets, in the bits of one number a row, until it reaches the body; the cell that it came
from is the next. It is not optimal play.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.body import HEADINGS, USE, aims_at, camera_of, sees
from envs.first_person.labyrinth import downhill, lab, maps, table, tag, view
from envs.first_person.labyrinth.maps import Bank
from envs.first_person.labyrinth.state import (
  BACK,
  BOX,
  KEY,
  SLOTS,
  State,
  cell_of,
  level_of,
  row_of,
  take,
)
from envs.first_person.scene import N, Scene, cell_at

FORWARD, LEFT, RIGHT, LEFT_36, RIGHT_36, FORWARD_LEFT, FORWARD_RIGHT = 0, 4, 5, 6, 7, 8, 9
LONGEST = 160
"""Cells of the longest way."""
_COLUMN = 31 - np.arange(N, dtype=np.uint32)


def _cells(x: jax.Array, y: jax.Array, on: jax.Array) -> jax.Array:
  """The cells of places as bits, uint32 [17]."""
  row, column = jnp.floor(y).astype(jnp.int32), jnp.floor(x).astype(jnp.int32)
  bit = jnp.where(on, jnp.uint32(1) << (31 - column).astype(jnp.uint32), 0).astype(jnp.uint32)
  parts = jnp.where(row == np.arange(N)[:, None], bit, jnp.uint32(0))
  return jax.lax.reduce(parts, np.uint32(0), jax.lax.bitwise_or, (1,))


def _spread(cells: jax.Array, free: jax.Array) -> jax.Array:
  """Cells and those that one step leads to, by sides and where both sides are free by corners."""
  beside = (cells << 1 | cells >> 1) & free
  none = jnp.zeros((1,), jnp.uint32)

  def up(rows: jax.Array) -> jax.Array:
    return jnp.concatenate([rows[1:], none])

  def down(rows: jax.Array) -> jax.Array:
    return jnp.concatenate([none, rows[:-1]])

  above, below = up(cells) & free, down(cells) & free
  # A corner is cut only where both cells beside it are free.
  free_left, free_right = free >> 1, free << 1
  corners = jnp.uint32(0)
  for other, free_there in ((up(cells), up(free)), (down(cells), down(free))):
    corners |= (other >> 1) & free_left & (free_there) & free
    corners |= (other << 1) & free_right & (free_there) & free
  return cells | beside | above | below | corners


class _Flood(NamedTuple):
  reached: jax.Array
  before: jax.Array
  steps: jax.Array


def next_cell(free: jax.Array, targets: jax.Array, here: jax.Array) -> tuple[jax.Array, jax.Array]:
  """The next cell on a shortest way to the nearest target.

  Args:
    free: cells that can be crossed, uint32 [17]; the target's may be others.
    targets: uint32 [17].
    here: number of the cell where one is, int32.

  Returns:
    The number of the cell, `here` if it is a target or none can be reached; whether one can be.
  """
  row, column = jnp.divmod(here, N)
  start = _cells(column + 0.5, row + 0.5, jnp.bool_(True)[None])

  def far(flood: _Flood) -> jax.Array:
    grows = (flood.reached != flood.before).any() | (flood.steps == 0)
    return ~cell_at(flood.reached, row, column) & grows & (flood.steps < LONGEST)

  def grow(flood: _Flood) -> _Flood:
    return _Flood(_spread(flood.reached, free | start), flood.reached, flood.steps + 1)

  zero = jnp.zeros_like(targets)
  flood = jax.lax.while_loop(far, grow, _Flood(targets, zero, jnp.int32(0)))
  found = cell_at(flood.reached, row, column)
  # Of the cells that one step leads to, one that was reached a step before: by a side if it can be.
  candidates = _spread(start, free | targets) & flood.before
  sides = candidates & _plus(start)
  candidates = jnp.where((sides != 0).any(), sides, candidates)
  bits = (candidates[:, None] >> _COLUMN & 1).reshape(-1)
  moves = found & (flood.steps > 0) & (bits != 0).any()
  return jnp.where(moves, jnp.argmax(bits).astype(jnp.int32), here), found


def _plus(start: jax.Array) -> jax.Array:
  none = jnp.zeros((1,), jnp.uint32)
  rows = jnp.concatenate([start[1:], none]) | jnp.concatenate([none, start[:-1]])
  return start << 1 | start >> 1 | rows


def turn_to(state: State, x: jax.Array, y: jax.Array) -> jax.Array:
  """The action that goes on to a place: it turns by 36, then by 12, and walks when it faces it."""
  angle = jnp.arctan2(y - state.pose.y, x - state.pose.x) * (HEADINGS / (2 * np.pi))
  half = HEADINGS // 2
  by = (jnp.round(angle).astype(jnp.int32) - state.pose.heading + half) % HEADINGS - half
  turn = jnp.where(by >= 2, RIGHT_36, jnp.where(by <= -2, LEFT_36, FORWARD))
  turn = jnp.where(by == 1, FORWARD_RIGHT, jnp.where(by == -1, FORWARD_LEFT, turn))
  turn = jnp.where(by == 2, RIGHT, jnp.where(by == -2, LEFT, turn))
  return turn.astype(jnp.int32)


def _worth(state: State) -> jax.Array:
  """Which things are gone to, bool [24]."""
  things, family = state.things, level_of(state.level).family
  worth = things.on & (things.value > 0)
  # Of keys the next one of the chain; a held key is carried to its door, and then the goal is left.
  slot = np.arange(SLOTS)
  shut = state.shut[: maps.TRAP]
  chain = shut.any()
  door = jnp.argmax(shut)
  keyed = jnp.where(chain, (slot == door) & (state.held < 0), slot == maps.GOAL)
  worth = jnp.where(family == table.KEYS, keyed & things.on, worth)
  # The box costs, and is worth it where a door is shut that it opens.
  opens = state.shut.any() & ~state.bright
  box = things.on & (things.kind == BOX) & opens
  boxed = (family == table.DEFERRED) & box.any()
  return jnp.where(boxed, box, worth)


def _door_cell(bank: Bank, state: State, row: jax.Array) -> tuple[jax.Array, jax.Array]:
  """The middle of the door that the held key is for, and whether there is one."""
  cell = take(bank.door, row)[jnp.argmax(state.shut[: maps.TRAP])].astype(jnp.int32)
  keyed = level_of(state.level).family == table.KEYS
  return cell, keyed & (state.held >= 0) & state.shut[: maps.TRAP].any()


def _walk(bank: Bank, scene: Scene, state: State) -> jax.Array:
  """The action of one who goes to what is worth it, around what is not."""
  row, things, pose = row_of(state.level, state.map), state.things, state.pose
  worth = _worth(state)
  door, to_door = _door_cell(bank, state, row)
  door_bit = _cells((door % N + 0.5)[None], (door // N + 0.5)[None], to_door[None])
  targets = jnp.where(to_door, door_bit, _cells(things.x, things.y, worth))
  harmful = things.on & ~worth & ((things.value != 0) | (things.kind == BACK))
  harmful &= (things.value < 0) | (things.kind == KEY) | (things.kind == BACK)
  avoid = _cells(things.x, things.y, harmful)
  open_cells = ~(scene.solid | scene.void)
  here = cell_of(pose.x, pose.y)
  cell, found = next_cell(open_cells & ~avoid, targets, here)
  # What cannot be reached around the harmful is reached through it.
  through, _ = next_cell(open_cells, targets, here)
  cell = jnp.where(found, cell, through)
  x, y = (cell % N).astype(jnp.float32) + 0.5, (cell // N).astype(jnp.float32) + 0.5
  # Within the target's cell, to the thing itself.
  far = jnp.where(worth, jnp.hypot(things.x - pose.x, things.y - pose.y), jnp.inf)
  nearest = jnp.argmin(far)
  arrived = (cell == here) & worth.any() & ~to_door
  x = jnp.where(arrived, things.x[nearest], x)
  y = jnp.where(arrived, things.y[nearest], y)
  return turn_to(state, x, y)


def _sky(state: State) -> jax.Array:
  """The action along the path that leads to the goal: heights forbid the way back from others."""
  row = row_of(state.level, state.map)
  way = jnp.asarray(downhill.next_cells())[jnp.clip(row - table.SKY_HARD * maps.MAPS, 0, 79)]
  here = cell_of(state.pose.x, state.pose.y)
  cell = way[here].astype(jnp.int32)
  return turn_to(state, (cell % N).astype(jnp.float32) + 0.5, (cell // N).astype(jnp.float32) + 0.5)


def _hunt(scene: Scene, state: State) -> jax.Array:
  """Goes to the nearest opponent until it is seen, turns to it, tags it."""
  things, eye = state.things, camera_of(state.pose)
  x, y, on = things.x[: tag.BOTS], things.y[: tag.BOTS], things.on[: tag.BOTS]
  points = jnp.stack([x, y, jnp.full_like(x, 0.5)], -1)
  clear = sees(scene, eye, points) & on
  aimed = clear & aims_at(eye, points, float(N * N), tag.AIM)
  far = jnp.where(clear, jnp.hypot(x - eye.x, y - eye.y), jnp.inf)
  nearest = jnp.argmin(far)
  here = cell_of(state.pose.x, state.pose.y)
  cell, _ = next_cell(~(scene.solid | scene.void), _cells(x, y, on), here)
  to_x = jnp.where(clear.any(), x[nearest], (cell % N).astype(jnp.float32) + 0.5)
  to_y = jnp.where(clear.any(), y[nearest], (cell // N).astype(jnp.float32) + 0.5)
  return jnp.where(aimed.any(), USE, turn_to(state, to_x, to_y))


_LOOK = np.array([USE, LEFT_36, RIGHT_36, 0, 1], np.int32)
"""What moves the gaze to the middle, left, right, up and down."""


def _answer(state: State) -> jax.Array:
  """Begins trials, and looks where the answer is."""
  asked = state.lab.phase == lab.ASKED
  return jnp.where(asked, jnp.asarray(_LOOK)[state.lab.answer], USE)


def act(bank: Bank, state: State) -> jax.Array:
  """The next action, int32, of `body.ACTIONS`.

  Args:
    bank: of all maps.
    state: all of it, what is hidden as well.
  """
  scene, family = view.geometry(bank, state), level_of(state.level).family
  action = _walk(bank, scene, state)
  action = jnp.where(family == table.SKY, _sky(state), action)
  action = jnp.where(family == table.TAG, _hunt(scene, state), action)
  return jnp.where(family == table.PSYCHLAB, _answer(state), action).astype(jnp.int32)
