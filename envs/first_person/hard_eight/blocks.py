"""Blocks that a body pushes."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from envs.first_person import body
from envs.first_person.hard_eight import kinds
from envs.first_person.hard_eight.maps import Bank
from envs.first_person.hard_eight.state import State
from envs.first_person.scene import N, Scene, cell_at

CLEAR = 1e-3
"""Cells between a body and a block that it pushes."""


def _is_free(scene: Scene, place: jax.Array, half: jax.Array) -> jax.Array:
  """Whether squares about places [K, 2] are clear of walls, chasms and other boxes, bool [K]."""
  corners = jnp.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], jnp.float32)
  at = place[:, None] + (half[:, None] - 1e-3)[:, None] * corners
  cell = jnp.clip(jnp.floor(at).astype(jnp.int32), 0, N - 1)
  blocked = cell_at(scene.solid | scene.void, cell[..., 1], cell[..., 0]).any(-1)
  boxes = scene.boxes
  low, high = place - half[:, None] + 1e-3, place + half[:, None] - 1e-3
  meets = (low[:, None] < boxes.high[:, :2]) & (high[:, None] > boxes.low[:, :2])
  meets = meets.all(-1) & boxes.on & (boxes.high[:, 2] > body.CLIMB)
  others = jnp.arange(boxes.on.shape[0]) != kinds.GATES + jnp.arange(kinds.THINGS)[:, None]
  return ~blocked & ~(meets & others).any(-1)


def standing(level: Bank, state: State) -> jax.Array:
  """Which things are blocks that have not sunk, bool [K]."""
  return state.on & (level.kind == kinds.BLOCK) & (state.foot[:, 2] >= 0)


def push(scene: Scene, level: Bank, state: State, by_x: jax.Array, by_y: jax.Array) -> State:
  """Moves the blocks that a step would run into, along the axis that they are farther off by.

  Args:
    scene: geometry before the step.
    level: the map.
    state: before the body has moved.
    by_x, by_y: where the body is about to go, cells.
  """
  half = level.width / 2
  by = jnp.stack([by_x, by_y])
  here = jnp.stack([state.x, state.y])
  away = state.foot[:, :2] - here
  gap = jnp.maximum(jnp.abs(away - by) - half[:, None], 0)
  met = standing(level, state) & ((gap**2).sum(-1) < body.RADIUS**2)
  along_x = jnp.abs(away[:, 0]) >= jnp.abs(away[:, 1])
  axis = jnp.stack([along_x, ~along_x], -1)
  # No farther than until the body is clear of it.
  deep = half[:, None] + body.RADIUS + CLEAR - jnp.abs(away - by)
  shift = jnp.sign(by) * jnp.clip(deep, 0, jnp.abs(by))
  shift = jnp.where(axis & (by * away > 0), shift, 0.0)
  place = state.foot[:, :2] + shift
  moves = met & _is_free(scene, place, half)
  foot = state.foot.at[:, :2].set(jnp.where(moves[:, None], place, state.foot[:, :2]))
  return state._replace(foot=foot)
