"""What is in the playroom: its state, how an episode begins, and what is seen of it.

The room is 11 x 11 cells in the middle of the map. Bed, tray and table stand in three of its four
quarters; the things lie on cells of their own, away from these.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import body, caster, columns, patterns
from envs.first_person.body import Pose
from envs.first_person.crossing import crossings, edges
from envs.first_person.playroom import nouns
from envs.first_person.scene import (
  Atlas,
  Billboards,
  Boxes,
  Camera,
  N,
  Scene,
  bit_rows,
  rgb,
  wall_look,
)

SIDE, FIRST = 11, 3
"""Cells a side of the room, and the row and column of its first."""
FURNITURE = ("bed", "tray", "table")
EXTENT = np.array([[2.0, 1.2, 0.4], [0.9, 0.9, 0.06], [1.2, 0.8, 0.4]], np.float32)
"""Of bed, tray and table: cells along, across and up."""
FURNITURE_COLOURS = np.array([[190, 70, 80], [235, 235, 235], [140, 95, 55]], np.uint8)
COLOURS = np.array(
  [
    [220, 40, 40],
    [50, 170, 60],
    [60, 90, 230],
    [40, 190, 200],
    [210, 60, 200],
    [235, 205, 40],
    [245, 140, 30],
    [240, 240, 240],
  ],
  np.uint8,
)
SIZE = 0.5
"""Of a thing, cells."""
AHEAD, CARRIED = 0.6, 0.35
"""How far ahead of the body a thing is carried, and at what height, cells."""
ATLAS = Atlas(patterns.WALLS, nouns.SHAPES)
NOTHING = -1


class State(NamedTuple):
  """All that changes in an episode. K things, of which the first is the target.

  Attributes:
    pose: of the body.
    things: ranks of the nouns, int32 [K].
    foot: where they are (x, y, z), float32 [K, 3]; of the one that is held, where it was taken.
    colour: of each, number in `COLOURS`, int32 [K].
    held: the thing that is carried, or NOTHING, int32.
    furniture: middles (x, y) of bed, tray and table, float32 [3, 2].
    turned: whether they stand along y, bool [3].
    place: whether a thing is to be put on the bed, near it, on the tray or near it, int32 0 to 3.
    steps: since the episode began, int32.
  """

  pose: Pose
  things: jax.Array
  foot: jax.Array
  colour: jax.Array
  held: jax.Array
  furniture: jax.Array
  turned: jax.Array
  place: jax.Array
  steps: jax.Array


@functools.cache
def walls() -> np.ndarray:
  """Which cells are walls, bool [N, N]."""
  cells = np.ones((N, N), bool)
  cells[FIRST : FIRST + SIDE, FIRST : FIRST + SIDE] = False
  return cells


@functools.cache
def _looks() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Patterns [N, N] and colours [N, N, 3] of the walls, each side its own, and the floor's."""
  row, column = np.mgrid[:N, :N]
  side = np.select([row < FIRST, row >= FIRST + SIDE, column < FIRST], [0, 1, 2], 3)
  pattern = np.array([patterns.row(p) for p in ("bricks", "panels", "stripes", "diamonds")])
  colour = np.array([[170, 110, 90], [110, 150, 120], [110, 120, 180], [190, 170, 100]])
  tiles = np.array([[120, 115, 105], [135, 130, 120]])[(row + column) % 2]
  return pattern[side], colour[side], tiles


def footprints(state: State) -> tuple[jax.Array, jax.Array]:
  """Corners (x, y) of bed, tray and table, float32 [3, 2] both."""
  along = jnp.asarray(EXTENT[:, :2])
  half = jnp.where(state.turned[:, None], along[:, ::-1], along) / 2
  return state.furniture - half, state.furniture + half


def gaps(state: State, x: jax.Array, y: jax.Array) -> jax.Array:
  """How far places [...] are from bed, tray and table, seen from above, [..., 3]; 0 on them."""
  low, high = footprints(state)
  place = jnp.stack([x, y], -1)[..., None, :]
  apart = jnp.maximum(jnp.maximum(low - place, place - high), 0)
  return jnp.hypot(apart[..., 0], apart[..., 1])


@jax.jit
def begin(key: jax.Array, things: jax.Array) -> State:
  """Furnishes a room for things [K] by rank, with the body somewhere in it."""
  count = things.shape[0]
  quarter_key, shift_key, turn_key, cell_key, colour_key, heading_key, place_key = jax.random.split(
    key, 7
  )
  quarters = np.array([[-3.0, -3.0], [3.0, -3.0], [-3.0, 3.0], [3.0, 3.0]], np.float32) + N / 2
  furniture = jax.random.permutation(quarter_key, jnp.asarray(quarters))[: len(FURNITURE)]
  furniture += jax.random.uniform(shift_key, furniture.shape, jnp.float32, -1.0, 1.0)
  turned = jax.random.bernoulli(turn_key, 0.5, (len(FURNITURE),))
  nothing = jnp.zeros((count,), jnp.int32)
  colour = jax.random.randint(colour_key, (count,), 0, len(COLOURS), jnp.int32)
  heading = jax.random.randint(heading_key, (), 0, body.HEADINGS, jnp.int32)
  pose = Pose(jnp.float32(0), jnp.float32(0), jnp.float32(0), heading)
  state = State(
    pose,
    things,
    jnp.zeros((count, 3), jnp.float32),
    colour,
    jnp.int32(NOTHING),
    furniture,
    turned,
    jax.random.randint(place_key, (), 0, 4, jnp.int32),
    nothing[0],
  )
  row, column = np.divmod(np.arange(SIDE**2), SIDE)
  middles = np.stack([column, row], -1).astype(np.float32) + np.float32(FIRST + 0.5)
  free = gaps(state, jnp.asarray(middles[:, 0]), jnp.asarray(middles[:, 1])).min(-1) > 0.5
  score = jax.random.uniform(cell_key, free.shape) + free
  spots = jnp.asarray(middles)[jax.lax.top_k(score, count + 1)[1]]
  foot = jnp.pad(spots[1:], ((0, 0), (0, 1)))
  return state._replace(foot=foot, pose=pose._replace(x=spots[0, 0], y=spots[0, 1]))


def boxes(state: State) -> Boxes:
  """Bed, tray and table."""
  low, high = footprints(state)
  ground = jnp.zeros((len(FURNITURE), 1), jnp.float32)
  up = jnp.asarray(EXTENT[:, 2:])
  corners = jnp.concatenate([low, ground], 1), jnp.concatenate([high, up], 1)
  return Boxes(*corners, rgb(FURNITURE_COLOURS), jnp.ones((len(FURNITURE),), bool))


def carried(state: State) -> jax.Array:
  """Where (x, y) a thing is carried: ahead, but not into a wall, float32 [2]."""
  eye = body.camera_of(state.pose)
  along = jnp.stack([eye.cos, eye.sin])
  alike = edges(bit_rows(walls()))
  hits = crossings(alike, eye.x, eye.y, _apart_from_zero(along[:1]), _apart_from_zero(along[1:]))
  ahead = jnp.minimum(columns.wall_depth(*hits)[0] - 0.05, AHEAD)
  return jnp.stack([eye.x, eye.y]) + ahead * along


def _apart_from_zero(x: jax.Array) -> jax.Array:
  return jnp.where(jnp.abs(x) < 1e-6, 1e-6, x)


def feet(state: State) -> jax.Array:
  """Where (x, y, z) the things are, with the one that is held before the body, float32 [K, 3]."""
  hand = jnp.append(carried(state), state.pose.ground + CARRIED)
  held = jnp.arange(state.things.shape[0]) == state.held
  return jnp.where(held[:, None], hand, state.foot)


def scene(state: State) -> Scene:
  """All that is there to see."""
  pattern, paint, floor = _looks()
  colour = rgb(COLOURS)[state.colour]
  count = state.things.shape[0]
  return Scene(
    bit_rows(walls()),
    bit_rows(np.zeros((N, N), bool)),
    rgb(floor),
    rgb(np.array([200, 205, 210])),
    wall_look(pattern, rgb(paint)),
    Billboards(
      feet(state),
      jnp.full((count,), SIZE, jnp.float32),
      state.things,
      colour,
      columns.darken(colour, jnp.uint32(110)),
      jnp.ones((count,), bool),
    ),
    boxes(state),
  )


@functools.partial(jax.jit, static_argnames="size")
def picture(state: State, size: int = 64) -> jax.Array:
  """What the body sees, uint8 [size, size, 3]."""
  return caster.render(scene(state), camera(state), ATLAS, size, size)


def camera(state: State) -> Camera:
  return body.camera_of(state.pose)
