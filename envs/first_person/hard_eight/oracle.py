"""Solves every task as one who knows all that is hidden: a compiled function of the state.

What is to be done next is read from the state: fetch a thing, bring it somewhere, go to the apple.
Ways lead over free cells; see `envs.first_person.ways`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import body, ways
from envs.first_person.draws import choose, middle
from envs.first_person.hard_eight import hand, rules, view
from envs.first_person.hard_eight.hand import Action
from envs.first_person.hard_eight.layouts import Bank
from envs.first_person.hard_eight.state import NOTHING, State, here, row_of, task_of
from envs.first_person.scene import N, Scene, bit_rows

TAKE, STAND, ARRIVED = 1.2, 1.2, 0.25
"""Cells from a thing to take it, before a plate to touch it, and from a place that is reached."""
OVER = 0.5
"""Cells from a thing on the floor, below which one does not see it."""
AHEAD = np.float32(np.deg2rad(30))
"""Radians off its way at which the body already walks."""


class Errand(NamedTuple):
  """What is to be done next.

  Attributes:
    place: to walk to, (x, y), float32 [2].
    within: how near that is near enough, float32.
    aim: what to look at there, (x, y, z), float32 [3].
    take: the thing to take there, or NOTHING, int32.
    carry: whether the hand stays closed, bool.
    reach: how far ahead to hold what is held once there, float32.
  """

  place: jax.Array
  within: jax.Array
  aim: jax.Array
  take: jax.Array
  carry: jax.Array
  reach: jax.Array


def free_cells(scene: Scene) -> jax.Array:
  """Cells that a body can cross, as bits, uint32 [17]: no wall, no chasm, nothing in the way."""
  boxes = scene.boxes
  cell = jnp.arange(N, dtype=jnp.float32)
  room = body.RADIUS - 0.05
  tall = boxes.on & (boxes.high[:, 2] > body.CLIMB)

  def within(axis: int) -> jax.Array:
    """Whether the middle of a cell is too near to the box along one axis, bool [K, 17]."""
    at = cell + 0.5
    return (at > boxes.low[:, axis, None] - room) & (at < boxes.high[:, axis, None] + room)

  blocked = (within(1)[:, :, None] & within(0)[:, None, :] & tall[:, None, None]).any(0)
  return ~(scene.solid | scene.void | bit_rows(blocked))


def _gap(angle: jax.Array) -> jax.Array:
  return (angle + np.pi) % (2 * np.pi) - np.pi


def perform(bank: Bank, state: State, errand: Errand) -> jax.Array:
  """The action that goes on with an errand, float32 [6]."""
  scene = view.geometry(bank, state)
  column, row = jnp.floor(errand.place)
  target = ways.cells_of(column[None], row[None], jnp.ones((1,), bool))
  cell, _ = ways.next_cell(free_cells(scene), target, here(state))
  x, y = middle(cell)
  last = cell == here(state)
  way = jnp.where(last, errand.place, jnp.stack([x, y])) - jnp.stack([state.x, state.y])
  rest = jnp.hypot(*(errand.place - jnp.stack([state.x, state.y])))
  to_aim = errand.aim - jnp.stack([state.x, state.y, state.ground + body.EYE])
  level = jnp.hypot(to_aim[0], to_aim[1])
  takes = errand.take != NOTHING
  sees = body.sees(scene, view.camera(state), errand.aim[None])[0]
  there = (rest <= errand.within) & (~takes | sees)
  yaw = _gap(jnp.arctan2(*jnp.where(there, to_aim[:2], way)[::-1]) - state.yaw)
  pitch = jnp.where(there, jnp.arctan2(to_aim[2], level), 0.0) - state.pitch
  walks = ~there & (jnp.abs(yaw) < AHEAD)
  over = takes & there & (level < OVER)
  seized, _ = hand.seized(scene, state)
  grip = errand.carry | (takes & there & (seized == errand.take))
  reach = jnp.where(there, errand.reach, hand.NEAREST)
  action = Action(
    move=jnp.where(walks, jnp.hypot(*way) / body.SPEED, jnp.where(over, -0.5, 0.0)),
    strafe=jnp.float32(0.0),
    yaw=yaw / rules.YAW,
    pitch=pitch / rules.PITCH,
    push=(reach - state.reach) / hand.PULL,
    grip=jnp.where(grip, 1.0, -1.0),
  )
  return jnp.clip(jnp.stack(action), -1, 1)


def fetch(state: State, thing: jax.Array | int) -> Errand:
  """Takes a thing."""
  at = view.middles(state)[thing]
  return Errand(at[:2], jnp.float32(TAKE), at, jnp.int32(thing), jnp.bool_(False), jnp.float32(1.0))


def touch(bank: Bank, state: State, gate: int) -> Errand:
  """Brings what is held to the plate of a gate."""
  row = row_of(state)
  plate, normal = jnp.asarray(bank.touch)[row, gate], jnp.asarray(bank.normal)[row, gate]
  place = plate[:2] + STAND * normal
  off = plate - jnp.stack([state.x, state.y, state.ground + body.EYE])
  reach = jnp.linalg.norm(off) - task_of(state.task).size[state.held] / 2
  none = jnp.int32(NOTHING)
  return Errand(place, jnp.float32(ARRIVED), plate, none, jnp.bool_(True), reach)


def go(place: jax.Array) -> Errand:
  """Walks to a place (x, y, z), with nothing."""
  none = jnp.int32(NOTHING)
  return Errand(
    place[:2], jnp.float32(0.1), place, none, jnp.bool_(False), jnp.float32(hand.NEAREST)
  )


def act(bank: Bank, state: State) -> jax.Array:
  """The next action, float32 [6]."""
  apple = go(jnp.asarray(bank.apple)[row_of(state)])
  errand = choose(state.held != NOTHING, touch(bank, state, 0), fetch(state, 0))
  return perform(bank, state, choose(state.opened.any(), apple, errand))
