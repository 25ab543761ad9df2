"""What the tasks' oracles have in common: to go, to fetch, to bring to a plate, to push.

An oracle is a compiled function of the state, that knows all that is hidden. What is to be done
next it reads from the state. Ways lead over free cells; see `envs.first_person.ways`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import body, ways
from envs.first_person.draws import choose, middle
from envs.first_person.hard_eight import blocks, hand, rules, view
from envs.first_person.hard_eight.hand import Action
from envs.first_person.hard_eight.maps import Bank
from envs.first_person.hard_eight.state import NOTHING, State, here
from envs.first_person.scene import N, Scene, bit_rows, cell_at

TAKE, STAND, ARRIVED = 1.2, 1.2, 0.25
"""Cells from a thing to take it, before a plate to touch it, and from a place that is reached."""
CARRIED = 0.15
"""Radians above the horizon at which a thing is carried."""
DRAWN_IN = 0.75
"""Cells ahead of the eye at which it is carried, at most."""
OVER = 0.5
"""Cells from a thing on the floor, below which one does not see it."""
ALIGNED, BEHIND = 0.08, 0.4
"""Cells within which a block is in line with where it is to be, and from a block's side to where a
body begins to push it."""
AHEAD = np.float32(np.deg2rad(30))
STRAIGHT = 0.05
"""Radians off its way at which the body already walks; in a line."""


class Errand(NamedTuple):
  """What is to be done next.

  Attributes:
    place: to walk to, (x, y), float32 [2].
    within: how near that is near enough, float32.
    aim: what to look at there, (x, y, z), float32 [3].
    closest: how near what is looked at may be, seen from above, float32.
    take: the thing to take there, or NOTHING, int32.
    carry: whether the hand stays closed, bool.
    reach: how far ahead to hold what is held once there, float32.
    throw: whether to throw what is held once it is looked at from there, bool.
    direct: whether to walk there in a line, and turn before, bool.
  """

  place: jax.Array
  within: jax.Array
  aim: jax.Array
  closest: jax.Array
  take: jax.Array
  carry: jax.Array
  reach: jax.Array
  throw: jax.Array
  direct: jax.Array


def errand(
  place: jax.Array,
  within: float,
  aim: jax.Array,
  closest: float = 0.0,
  take: jax.Array | int = NOTHING,
  carry: jax.Array | bool = False,
  reach: jax.Array | float = hand.NEAREST,
  throw: jax.Array | bool = False,
  direct: jax.Array | bool = False,
) -> Errand:
  """An errand, in arrays; see `Errand`."""
  return Errand(
    place[:2],
    jnp.float32(within),
    aim,
    jnp.float32(closest),
    jnp.int32(take),
    jnp.bool_(carry),
    jnp.float32(reach),
    jnp.bool_(throw),
    jnp.bool_(direct),
  )


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


def gap(angle: jax.Array) -> jax.Array:
  """An angle as one from -pi to pi."""
  return (angle + np.pi) % (2 * np.pi) - np.pi


def perform(level: Bank, state: State, errand: Errand) -> jax.Array:
  """The action that goes on with an errand, float32 [6]."""
  scene = view.geometry(level, state)
  column, row = jnp.floor(errand.place)
  target = ways.cells_of(column[None], row[None], jnp.ones((1,), bool))
  cell, _ = ways.next_cell(free_cells(scene), target, here(state))
  at = jnp.stack([state.x, state.y])
  last = (cell == here(state)) | errand.direct
  way = jnp.where(last, errand.place, jnp.stack(middle(cell))) - at
  rest = jnp.hypot(*(errand.place - at))
  to_aim = errand.aim - view.eye(state)
  level_far = jnp.hypot(to_aim[0], to_aim[1])
  takes = errand.take != NOTHING
  own = hand.box_of(scene, errand.take) & takes
  sees = body.sees(scene, view.camera(state), errand.aim[None], own)[0]
  there = (rest <= errand.within) & (~takes | sees)
  yaw = gap(jnp.arctan2(*jnp.where(there, to_aim[:2], way)[::-1]) - state.yaw)
  up = jnp.where(errand.carry, CARRIED, 0.0)
  pitch = jnp.where(there, jnp.arctan2(to_aim[2], level_far), up) - state.pitch
  # What is carried is drawn in before the body turns, so that it touches nothing on the way.
  draws_in = errand.carry & ~there & (state.reach > DRAWN_IN)
  yaw, pitch = (jnp.where(draws_in, 0.0, angle) for angle in (yaw, pitch))
  walks = ~there & ~draws_in & (jnp.abs(yaw) < jnp.where(errand.direct, STRAIGHT, AHEAD))
  over = there & (level_far < errand.closest)
  seized, _ = hand.seized(scene, level, state)
  throws = errand.throw & there & (jnp.abs(yaw) < 0.02) & ~over
  grip = (errand.carry | (takes & there & (seized == errand.take))) & ~throws
  reach = jnp.where(there, errand.reach, hand.NEAREST)
  push = (reach - state.reach) / hand.PULL
  action = Action(
    move=jnp.where(walks, jnp.hypot(*way) / body.SPEED, jnp.where(over, -0.5, 0.0)),
    strafe=jnp.float32(0.0),
    yaw=yaw / rules.YAW,
    pitch=pitch / rules.PITCH,
    push=jnp.where(throws, 1.0, push),
    grip=jnp.where(grip, 1.0, -1.0),
  )
  return jnp.clip(jnp.stack(action), -1, 1)


def fetch(level: Bank, state: State, thing: jax.Array | int) -> Errand:
  """Takes a thing."""
  at = view.middles(level, state)[thing]
  return errand(at, TAKE, at, OVER, thing, reach=1.0)


def touch(level: Bank, state: State, gate: jax.Array | int) -> Errand:
  """Brings what is held to the plate of a gate."""
  plate, normal = level.touch[gate], level.normal[gate]
  far = jnp.linalg.norm(plate - view.eye(state))
  reach = far - level.width[state.held] / 2
  return errand(plate[:2] + STAND * normal, ARRIVED, plate, carry=True, reach=reach)


def go(place: jax.Array, direct: jax.Array | bool = False) -> Errand:
  """Walks to a place (x, y, z), with nothing."""
  return errand(place, 0.1, place, direct=direct)


def _way_is_free(free: jax.Array, points: jax.Array) -> jax.Array:
  """Whether the cells of points (x, y) [P, 2] are all free."""
  cell = jnp.clip(jnp.floor(points).astype(jnp.int32), 0, N - 1)
  return cell_at(free, cell[:, 1], cell[:, 0]).all()


def push(level: Bank, state: State, thing: jax.Array | int, to: jax.Array) -> Errand:
  """Pushes a block to a place (x, y), along one axis and then the other."""
  scene = view.geometry(level, state)
  block, half = state.foot[thing, :2], level.width[thing] / 2
  rest = to - block
  boxes = scene.boxes
  own = hand.box_of(scene, jnp.int32(thing))
  free = free_cells(scene._replace(boxes=boxes._replace(on=boxes.on & ~own)))
  share = jnp.linspace(0, 1, N)[:, None]

  def by_axis(axis: int) -> jax.Array:
    first = rest * np.eye(2, dtype=np.float32)[axis]
    second = rest - first
    start, turn = block - jnp.sign(first), block + first - jnp.sign(second)
    way = jnp.concatenate([start + share * (block + first - start), turn + share * second])
    return _way_is_free(free, way)

  far = jnp.abs(rest) > ALIGNED
  # What is between two cells goes on along the axis that it has left its cell on.
  between = far & (jnp.abs(block - jnp.floor(block) - 0.5) > 0.02)
  x_first = far[0] & (between[0] | (~between[1] & (by_axis(0) | ~far[1])))
  along = jnp.where(x_first, jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])) * jnp.sign(rest)
  left = jnp.abs(rest * along).sum()
  place = block - along * (half + BEHIND)
  off = jnp.stack([state.x, state.y]) - block
  behind = -(off * along).sum()
  aside = jnp.abs(off[0] * along[1] - off[1] * along[0])
  ready = (aside < 0.2) & (behind > half) & (behind < half + BEHIND + 0.2)
  slack = behind - half - body.RADIUS - blocks.CLEAR
  at = jnp.stack([state.x, state.y])
  ahead = errand(at + along * (left + slack), -1.0, level.apple, direct=True)
  return choose(ready, ahead, go(jnp.concatenate([place, jnp.zeros((1,))])))
