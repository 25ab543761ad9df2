"""The labyrinth as a scene: where a body can go, and what is to be seen."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import patterns
from envs.first_person.body import camera_of
from envs.first_person.draws import cell_of
from envs.first_person.labyrinth import doors, lab, looks, maps, table
from envs.first_person.labyrinth.maps import Bank
from envs.first_person.labyrinth.state import SLOTS, State, level_of, row_of, take
from envs.first_person.scene import (
  Billboards,
  Camera,
  N,
  Scene,
  bit_rows,
  no_billboards,
  no_boxes,
)

DRAWN = 12
"""Things that are drawn at most: the nearest in front."""
SIZES = {"apple": 0.45, "mushroom": 0.5, "key": 0.5, "goal": 0.7, "bot": 0.8, "pad": 0.7}
OTHER_SIZE = 0.6
"""Width and height of silhouettes, cells (ours)."""
_SIZE = np.array([SIZES.get(name, OTHER_SIZE) for name in looks.SHAPES], np.float32)


def geometry(bank: Bank, state: State) -> Scene:
  """The scene as bodies know it; nothing in it has a look.

  Cells that are higher than the one that the agent is in are as a chasm to it.
  """
  row = row_of(state.level, state.map)
  height = take(bank.height, row)
  here = height.reshape(-1)[cell_of(state.pose.x, state.pose.y)]
  nothing = jnp.zeros((), jnp.uint32)
  return Scene(
    solid=take(bank.solid, row) | doors.solid_rows(bank, row, state.shut),
    void=take(bank.void, row) | bit_rows(height > here),
    floor=nothing,
    ceiling=nothing,
    wall=nothing,
    billboards=no_billboards(),
    boxes=no_boxes(),
  )


def scene(bank: Bank, state: State) -> Scene:
  """All that can be seen."""
  row = row_of(state.level, state.map)
  palette = jnp.asarray(looks.palette())
  rooms = palette[state.colours]
  switch = palette[jnp.where(state.bright, looks.colour("bright"), looks.colour("night"))]
  palette = palette.at[looks.ROOM : looks.ROOM + looks.ROOMS].set(rooms)
  palette = palette.at[looks.SWITCH].set(switch)
  return geometry(bank, state)._replace(
    floor=palette[take(bank.floor, row).astype(jnp.int32)],
    ceiling=palette[take(bank.ceiling, row).astype(jnp.int32)],
    wall=_walls(bank, state, row, palette),
    billboards=_billboards(state, palette),
  )


def _walls(bank: Bank, state: State, row: jax.Array, palette: jax.Array) -> jax.Array:
  """Looks of the walls by cell, uint32 [17, 17]; those of doors have their keys' colours."""
  pattern, colour = np.array(maps.WALL_LOOKS, np.uint32).T
  wall = looks.palette()[colour] | pattern << 24
  numbers = jnp.concatenate(
    [state.colours[: maps.TRAP], state.colours[take(bank.variant, row).astype(jnp.int32)][None]]
  )
  keyed = level_of(state.level).family == table.KEYS
  plain = jnp.uint32(palette[looks.colour("brown")])
  first = jnp.where(keyed, palette[numbers], plain)
  rest = jnp.broadcast_to(plain, (maps.DOORS - maps.TRAP - 1,))
  door = jnp.concatenate([first, rest]) | jnp.uint32(patterns.row("panels") << 24)
  every = jnp.zeros((maps.SHUT_LOOK + maps.DOORS,), jnp.uint32)
  every = every.at[: wall.shape[0]].set(wall).at[maps.SHUT_LOOK :].set(door)
  return every[take(bank.wall, row).astype(jnp.int32)]


def _billboards(state: State, palette: jax.Array) -> Billboards:
  """The nearest things in front of the eye, [12]."""
  things, eye = state.things, camera_of(state.pose)
  away_x, away_y = things.x - eye.x, things.y - eye.y
  ahead = away_x * eye.cos + away_y * eye.sin
  shown = things.on & (things.shape >= 0) & (ahead > 0)
  far = jnp.where(shown, away_x**2 + away_y**2, jnp.inf)
  slot = np.arange(SLOTS)
  nearer = (far < far[:, None]) | ((far == far[:, None]) & (slot < slot[:, None]))
  place = nearer.sum(-1)
  taken = place == np.arange(DRAWN)[:, None]

  def drawn(x: jax.Array) -> jax.Array:
    return jnp.where(taken, x, 0).sum(-1, dtype=x.dtype)

  laboratory = level_of(state.level).family == table.PSYCHLAB
  known = jnp.asarray(_SIZE)[jnp.clip(things.shape, 0, len(_SIZE) - 1)]
  size = jnp.where(laboratory, jnp.asarray(lab.SIZE), known)
  shape, colour = drawn(jnp.maximum(things.shape, 0)), palette[drawn(things.colour)]
  dark = (colour >> 1) & np.uint32(0x7F7F7F)
  # What is black has a bright second tone, for the images of the laboratory.
  second = jnp.where(drawn(things.colour) == looks.colour("black"), np.uint32(0xB0B0B0), dark)
  return Billboards(
    foot=jnp.stack([drawn(things.x), drawn(things.y), drawn(things.z)], -1),
    size=drawn(size),
    shape=shape,
    colour=colour,
    second=second,
    on=(taken & shown).any(-1),
  )


def camera(state: State) -> Camera:
  """The agent's eye; only in the laboratory it looks up and down."""
  pitch = jnp.asarray(lab.PITCH_OF_GAZE)[state.lab.gaze]
  return camera_of(state.pose)._replace(pitch=pitch)


def places(bank: Bank) -> tuple[np.ndarray, np.ndarray]:
  """Which cells some map has open, bool [289], and the rooms that all maps share, int32 [289]."""
  row, column = np.divmod(np.arange(N * N), N)
  ninth = row * 3 // N * 3 + column * 3 // N
  return bank.open.any(0).reshape(-1), ninth.astype(np.int32)
