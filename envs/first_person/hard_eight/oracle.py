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
from envs.first_person.hard_eight import hand, rules, table, view
from envs.first_person.hard_eight.hand import Action
from envs.first_person.hard_eight.layouts import Bank
from envs.first_person.hard_eight.state import NOTHING, State, here, row_of, task_of
from envs.first_person.scene import N, Scene, bit_rows, cell_at

TAKE, STAND, ARRIVED = 1.2, 1.2, 0.25
"""Cells from a thing to take it, before a plate to touch it, and from a place that is reached."""
CARRIED = 0.15
"""Radians above the horizon at which a thing is carried."""
OVER = 0.5
"""Cells from a thing on the floor, below which one does not see it."""
PLACED, ALIGNED, BEHIND = 0.3, 0.08, 0.4
"""Cells within which a cube lies where it is wanted, a block is in line with a recess, and from a
block's side to where a body begins to push it."""
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
  own = hand.box_of(scene, errand.take) & (errand.take != NOTHING)
  sees = body.sees(scene, view.camera(state), errand.aim[None], own)[0]
  there = (rest <= errand.within) & (~takes | sees)
  yaw = _gap(jnp.arctan2(*jnp.where(there, to_aim[:2], way)[::-1]) - state.yaw)
  pitch = (
    jnp.where(there, jnp.arctan2(to_aim[2], level), jnp.where(errand.carry, CARRIED, 0.0))
    - state.pitch
  )
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


def _stack(bank: Bank, state: State) -> tuple[jax.Array, Errand]:
  """Whether two cubes are stacked before the plate, and what is to be done until then."""
  row = row_of(state)
  plate, normal = jnp.asarray(bank.touch)[row, 0], jnp.asarray(bank.normal)[row, 0]
  size = task_of(state.task).size[0]
  base = plate[:2] + normal * size / 2
  middle = view.middles(state)
  off = jnp.linalg.norm(middle[:, :2] - base, axis=-1)
  lies = jnp.arange(table.THINGS) != state.held
  low = (off < PLACED) & lies & (state.foot[:, 2] < 0.1)
  high = (off < PLACED) & lies & (state.foot[:, 2] > 0.4)
  cube = jnp.where(low[0], 1, 0)
  holds = state.held == cube
  aim = jnp.concatenate([base, jnp.where(low[0], 0.8, 0.35)[None]])
  off_aim = jnp.linalg.norm(middle[cube] - aim)
  eye = jnp.stack([state.x, state.y, state.ground + body.EYE])
  put = Errand(
    plate[:2] + STAND * normal,
    jnp.float32(0.1),
    aim,
    jnp.int32(NOTHING),
    off_aim > 0.06,
    jnp.linalg.norm(aim - eye),
  )
  return low[0] & high[1], choose(holds, put, fetch(state, cube))


def _way_is_free(free: jax.Array, points: jax.Array) -> jax.Array:
  """Whether the cells of points (x, y) [P, 2] are all free."""
  cell = jnp.clip(jnp.floor(points).astype(jnp.int32), 0, N - 1)
  return cell_at(free, cell[:, 1], cell[:, 0]).all()


def _push(bank: Bank, state: State) -> jax.Array:
  """Pushes the first block to the recess, along one axis and then the other."""
  scene = view.geometry(bank, state)
  block, half = state.foot[0, :2], task_of(state.task).size[0] / 2
  rest = jnp.asarray(bank.touch)[row_of(state), 0, :2] - block
  boxes = scene.boxes
  others = scene._replace(boxes=boxes._replace(on=boxes.on & ~hand.box_of(scene, jnp.int32(0))))
  free = free_cells(others)
  share = jnp.linspace(0, 1, N)[:, None]

  def by_axis(axis: int) -> jax.Array:
    first = rest * np.eye(2, dtype=np.float32)[axis]
    second = rest - first
    start, turn = block - jnp.sign(first), block + first - jnp.sign(second)
    way = jnp.concatenate([start + share * (block + first - start), turn + share * second])
    return _way_is_free(free, way)

  far = jnp.abs(rest) > ALIGNED
  x_first = far[0] & (by_axis(0) | ~far[1])
  along = jnp.where(x_first, jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])) * jnp.sign(rest)
  left = jnp.abs(rest * along).sum()
  place = block - along * (half + BEHIND)
  here_at = jnp.stack([state.x, state.y])
  off = here_at - block
  behind = -(off * along).sum()
  aside = jnp.abs(off[0] * along[1] - off[1] * along[0])
  ready = (aside < 0.2) & (behind > half) & (behind < half + BEHIND + 0.2)
  yaw = _gap(jnp.arctan2(along[1], along[0]) - state.yaw)
  slack = behind - half - body.RADIUS
  ahead = jnp.maximum(left, slack + 0.02) / body.SPEED
  zero = jnp.float32(0.0)
  action = Action(
    move=jnp.where(jnp.abs(yaw) < 0.05, ahead, 0.0),
    strafe=zero,
    yaw=yaw / rules.YAW,
    pitch=zero - state.pitch / rules.PITCH,
    push=zero,
    grip=zero - 1,
  )
  pushes = jnp.clip(jnp.stack(action), -1, 1)
  walks = perform(bank, state, go(jnp.concatenate([place, jnp.zeros((1,))])))
  return jnp.where(ready, pushes, walks)


def act(bank: Bank, state: State) -> jax.Array:
  """The next action, float32 [6]."""
  apple = go(jnp.asarray(bank.apple)[row_of(state)])
  holds = state.held != NOTHING
  errand = choose(holds, touch(bank, state, 0), fetch(state, 0))
  stacked, stacks = _stack(bank, state)
  hold = (task_of(state.task).gate == table.HOLD).any()
  errand = choose(hold, stacks, errand)
  done = jnp.where(hold, stacked, state.opened.any())
  action = perform(bank, state, choose(done, apple, errand))
  recess = (task_of(state.task).gate == table.RECESS).any() & ~state.opened.any()
  return jnp.where(recess, _push(bank, state), action)
