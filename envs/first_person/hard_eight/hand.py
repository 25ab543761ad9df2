"""The hand: what it takes, how it holds, where what it lets go of comes to lie.

The hand is a point ahead of the eye, along the ray through the middle of the picture.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from envs.first_person import body
from envs.first_person.draws import choose
from envs.first_person.hard_eight import kinds, view
from envs.first_person.hard_eight.maps import Bank
from envs.first_person.hard_eight.state import NOTHING, State
from envs.first_person.scene import Camera, N, Scene, cell_at

GRASP, ASIDE = 2.0, 0.25
"""Cells ahead and aside of the ray within which a thing is taken."""
NEAREST, FARTHEST, CLOSEST = 0.6, 2.0, 0.1
"""Cells at which a thing is to be held, and the least at which it is where it is pressed back."""
PULL = 0.1
"""Cells by which a step pushes or pulls what is held."""
STRAIN = 0.5
"""Cells by which a thing is pressed back when it is dropped."""
THROW, FLIGHT = 0.5, 4.0
"""A push above this throws; cells that a throw of the whole strength goes."""
SHORT = 0.3
"""Cells before an obstacle at which a throw ends."""


class Action(NamedTuple):
  """An action's parts, float32 in [-1, 1]; the hand is closed where `grip` > 0."""

  move: jax.Array
  strafe: jax.Array
  yaw: jax.Array
  pitch: jax.Array
  push: jax.Array
  grip: jax.Array


def opens(level: Bank, state: State) -> jax.Array:
  """Which things open gates by their touch, bool [K]."""
  return state.on & ((level.kind == kinds.KEY) | (level.kind == kinds.CUBE))


def liftable(level: Bank, state: State) -> jax.Array:
  """Which things can be taken, bool [K]."""
  low = view.middles(level, state)[:, 2] < view.HIGH
  return (opens(level, state) | (state.on & (level.kind == kinds.BAT))) & low


def force(state: State) -> jax.Array:
  """How hard what is held is pressed back, from 0 to 1, at which it is dropped."""
  pressed = jnp.clip((state.reach - state.distance) / STRAIN, 0, 1)
  return jnp.where(state.held == NOTHING, 0.0, pressed)


def box_of(scene: Scene, thing: jax.Array) -> jax.Array:
  """The box of a thing in the geometry, bool [G + K + F]."""
  return jnp.arange(scene.boxes.on.shape[0]) == kinds.GATES + thing


def seized(scene: Scene, level: Bank, state: State) -> tuple[jax.Array, jax.Array]:
  """The thing that a closing hand takes, or NOTHING, and how far ahead its middle is."""
  middle, eye, ahead = view.middles(level, state), view.eye(state), view.direction(state)
  along = ((middle - eye) * ahead).sum(-1)
  aside = jnp.linalg.norm(middle - eye - along[:, None] * ahead, axis=-1)
  near = liftable(level, state) & (along > 0) & (along <= GRASP) & (aside <= ASIDE)
  camera = view.camera(state)

  def clear(thing: jax.Array) -> jax.Array:
    return body.sees(scene, camera, middle[thing][None], box_of(scene, thing))[0]

  near &= jax.vmap(clear)(jnp.arange(kinds.THINGS))
  first = jnp.argmin(jnp.where(near, along, jnp.inf))
  return jnp.where(near.any(), first, NOTHING).astype(jnp.int32), along[first]


def held_at(scene: Scene, level: Bank, state: State) -> jax.Array:
  """How far ahead of the eye what is held can be, at most `reach`, float32."""
  half, low = level.width[state.held] / 2, level.height[state.held] / 2
  ahead = view.direction(state)
  clear = body.clear_to(scene, view.camera(state), ahead[None])[0] - half
  floor = (body.EYE + state.ground - low) / jnp.maximum(-ahead[2], 1e-6)
  return jnp.clip(jnp.minimum(clear, floor), CLOSEST, state.reach)


def _place(state: State, thing: jax.Array, foot: jax.Array) -> jax.Array:
  return jnp.where((jnp.arange(kinds.THINGS) == thing)[:, None], foot, state.foot)


def _thrown(scene: Scene, state: State, at: jax.Array, far: jax.Array) -> jax.Array:
  """Where a thing that leaves the hand at a place [3] ends, (x, y): it flies over what is low."""
  cos, sin = jnp.cos(state.yaw), jnp.sin(state.yaw)
  start = Camera(at[0], at[1], at[2], cos, sin, jnp.float32(0.0))
  low = scene.boxes.high[:, 2] < 1
  ray = jnp.stack([cos, sin, jnp.zeros_like(cos)])[None]
  clear = body.clear_to(scene, start, ray, low)[0] - SHORT
  far = jnp.clip(clear, 0, far)
  return jnp.stack([at[0] + far * cos, at[1] + far * sin])


def _fallen(
  scene: Scene, state: State, thing: jax.Array, at: jax.Array, height: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """The foot of a thing that falls at a place (x, y), and whether it is lost in a chasm."""
  boxes = scene.boxes
  under = boxes.on & ~box_of(scene, thing) & (boxes.high[:, 2] <= height + 1e-4)
  inside = (boxes.low[:, :2] <= at) & (at <= boxes.high[:, :2])
  under &= inside.all(-1)
  top = jnp.where(under, boxes.high[:, 2], 0).max(initial=0.0)
  column, row = (jnp.clip(jnp.floor(part).astype(jnp.int32), 0, N - 1) for part in at)
  lost = cell_at(scene.void, row, column) & ~under.any()
  return jnp.concatenate([at, top[None]]), lost


def use(level: Bank, state: State, action: Action) -> State:
  """Takes, holds, drops or throws; the body and the eye have moved."""
  scene = view.geometry(level, state)
  closed, holds = action.grip > 0, state.held != NOTHING
  found, along = seized(scene, level, state)
  takes = closed & ~holds & (found != NOTHING)
  reach = jnp.where(takes, along, state.reach + PULL * action.push)
  reach = jnp.clip(reach, NEAREST, FARTHEST)
  state = state._replace(
    held=jnp.where(takes, found, state.held),
    reach=jnp.where(holds | takes, reach, 0.0),
  )
  holds |= takes
  scene = view.geometry(level, state)
  distance = held_at(scene, level, state)
  state = state._replace(distance=jnp.where(holds, distance, 0.0))
  at = view.eye(state) + distance * view.direction(state)
  half = level.height[state.held] / 2
  foot = at - jnp.stack([jnp.zeros_like(half), jnp.zeros_like(half), half])
  carried = state._replace(foot=_place(state, state.held, foot))
  throws = holds & ~closed & (action.push > THROW)
  drops = holds & (~closed | (force(state) >= 1))
  lands = jnp.where(throws, _thrown(scene, state, at, FLIGHT * action.push), at[:2])
  fallen, lost = _fallen(scene, state, state.held, lands, at[2])
  gone = lost & (jnp.arange(kinds.THINGS) == state.held)
  dropped = state._replace(
    foot=_place(state, state.held, fallen),
    on=state.on & ~gone,
    held=jnp.int32(NOTHING),
    reach=jnp.float32(0.0),
    distance=jnp.float32(0.0),
  )
  return choose(drops, dropped, choose(holds, carried, state))
