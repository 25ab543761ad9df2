"""Plays every level as one who knows all that is hidden: a compiled function of the state.

It goes to the nearest thing that is worth going to, around all that is not: a flood over the cells
from the targets, in the bits of one number a row, until it reaches the body; the cell that it came
from is the next. It is not optimal play.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.body import HEADINGS, USE, aims_at, camera_of, sees
from envs.first_person.draws import cell_of
from envs.first_person.labyrinth import downhill, lab, maps, table, tag, view
from envs.first_person.labyrinth.maps import Bank
from envs.first_person.labyrinth.state import BACK, BOX, KEY, SLOTS, State, level_of, row_of, take
from envs.first_person.scene import N, Scene
from envs.first_person.ways import cells_of, next_cell

FORWARD, LEFT, RIGHT, LEFT_36, RIGHT_36, FORWARD_LEFT, FORWARD_RIGHT = 0, 4, 5, 6, 7, 8, 9


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
  door_bit = cells_of((door % N + 0.5)[None], (door // N + 0.5)[None], to_door[None])
  targets = jnp.where(to_door, door_bit, cells_of(things.x, things.y, worth))
  harmful = things.on & ~worth & ((things.value != 0) | (things.kind == BACK))
  harmful &= (things.value < 0) | (things.kind == KEY) | (things.kind == BACK)
  avoid = cells_of(things.x, things.y, harmful)
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
  cell, _ = next_cell(~(scene.solid | scene.void), cells_of(x, y, on), here)
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
