"""A picture of a whole state for people: the map from above beside what the agent sees."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import caster
from envs.first_person.body import camera_of
from envs.first_person.labyrinth import looks, view
from envs.first_person.labyrinth.maps import Bank
from envs.first_person.labyrinth.state import SLOTS, State, row_of, take
from envs.first_person.scene import N, channels, row_cells

CELL, SIDE = 15, 256
"""Pixels of a cell from above, and a side of either half."""
_AT = (np.arange(SIDE) + 0.5) / CELL
_DARK, _AGENT, _CROSS = 0.55, np.array([60, 90, 255]), np.array([255, 255, 255])
_SHUT, _OPEN = np.array([200, 30, 30]), np.array([40, 180, 60])


def above(bank: Bank, state: State) -> jax.Array:
  """The map from above, uint8 [256, 256, 3]: walls dark, shut doors red, open ones green, things
  as discs with the unseen platform as a ring, the agent as a blue triangle."""
  scene, row = view.scene(bank, state), row_of(state.level, state.map)
  walls = row_cells(scene.solid)
  cells = jnp.where(walls[..., None], channels(scene.wall) * _DARK, channels(scene.floor))
  door = take(bank.door, row).astype(jnp.int32)
  at = jnp.where(door >= 0, door, N * N)
  doors = jnp.where(state.shut[:, None], _SHUT, _OPEN)
  flat = jnp.concatenate([cells.reshape(-1, 3), jnp.zeros((1, 3))])
  cells = flat.at[at].set(doors)[: N * N].reshape(N, N, 3)
  index = np.minimum(_AT.astype(int), N - 1)
  picture = cells[index][:, index]
  x, y = _AT[None, :], _AT[:, None]

  def paint(slot: jax.Array, picture: jax.Array) -> jax.Array:
    things = state.things
    far = jnp.hypot(x - things.x[slot], y - things.y[slot])
    shown = things.shape[slot] >= 0
    inside = jnp.where(shown, far < 0.3, jnp.abs(far - 0.6) < 0.06) & things.on[slot]
    colour = channels(jnp.asarray(looks.palette())[things.colour[slot]])
    return jnp.where(inside[..., None], colour, picture)

  picture = jax.lax.fori_loop(0, SLOTS, paint, picture)
  eye = camera_of(state.pose)
  ahead = (x - eye.x) * eye.cos + (y - eye.y) * eye.sin
  beside = jnp.abs((y - eye.y) * eye.cos - (x - eye.x) * eye.sin)
  agent = (ahead > -0.35) & (beside < (0.5 - ahead) / 2)
  return jnp.where(agent[..., None], _AGENT, picture).astype(jnp.uint8)


def render(bank: Bank, state: State) -> jax.Array:
  """The map from above and, to its right, the agent's view with a cross, uint8 [256, 512, 3]."""
  seen = caster.render(view.scene(bank, state), view.camera(state), looks.atlas(), SIDE, SIDE)
  off = np.abs(np.arange(SIDE) + 0.5 - SIDE / 2)
  cross = (off[:, None] < 1) & (off < 5) | (off[:, None] < 5) & (off < 1)
  seen = jnp.where(cross[..., None], _CROSS, seen).astype(jnp.uint8)
  return jnp.concatenate([above(bank, state), seen], 1)
