"""An episode as a scene: what bodies and hands know of it, and what is to be seen."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import patterns
from envs.first_person.body import EYE
from envs.first_person.hard_eight import kinds
from envs.first_person.hard_eight.maps import Bank
from envs.first_person.hard_eight.state import NOTHING, State
from envs.first_person.scene import (
  TEXELS,
  Atlas,
  Billboards,
  Boxes,
  Camera,
  N,
  Scene,
  no_billboards,
  rgb,
  row_cells,
  texel_columns,
  wall_look,
)

COLOURS = np.array(
  [[220, 40, 40], [40, 180, 50], [60, 90, 235], [40, 200, 210], [215, 60, 205], [235, 210, 45]],
  np.uint8,
)
DOOR, PLAIN, FIXED = np.array([[150, 105, 70], [235, 235, 240], [120, 125, 140]], np.uint8)
APPLE, STALK = np.array([[225, 40, 30], [70, 140, 50]], np.uint8)
FLOORS = np.array(
  [
    [125, 120, 110],
    [150, 130, 95],
    [105, 95, 90],
    [40, 40, 45],
    [205, 60, 60],
    [110, 130, 120],
    [10, 15, 35],
  ],
  np.uint8,
)
"""By kind; an open bridge over a chasm is of the colour of doors."""
WALLS = np.array([[170, 150, 130], [140, 155, 165], [165, 165, 120], [160, 130, 150]], np.uint8)
CEILING = np.array((190, 205, 220), np.uint8)
APPLE_SIZE = 0.8
HIGH, TIP = 0.9, 0.8
"""Cells above which a thing lies too high to be taken, and by which a bat's tip is before the hand
that holds it."""
TIP_SIZE = 0.12

_Y, _X = np.mgrid[:TEXELS, :TEXELS] - (TEXELS - 1) / 2
_FRUIT = (np.abs(_X) - 2.5) ** 2 + (_Y - 1.5) ** 2 < 30
_STALK = (np.abs(_X) < 1) & (_Y < -3)
ATLAS = Atlas(patterns.WALLS, texel_columns(np.where(_STALK, 2, _FRUIT.astype(int))[None]))


def _joined(*groups: Boxes) -> Boxes:
  return Boxes(*(jnp.concatenate(parts) for parts in zip(*groups, strict=True)))


def middles(level: Bank, state: State) -> jax.Array:
  """Middles (x, y, z) of the things, float32 [K, 3]."""
  return state.foot.at[:, 2].add(level.height / 2)


def direction(state: State) -> jax.Array:
  """Where the eye looks, (x, y, z) of length 1, float32 [3]."""
  flat = jnp.cos(state.pitch)
  return jnp.stack([flat * jnp.cos(state.yaw), flat * jnp.sin(state.yaw), jnp.sin(state.pitch)])


def eye(state: State) -> jax.Array:
  """Where the eye is, (x, y, z), float32 [3]."""
  return jnp.stack([state.x, state.y, state.ground + EYE])


def tip(level: Bank, state: State) -> tuple[jax.Array, jax.Array]:
  """The tip of a bat that is held, (x, y, z), float32 [3]; and whether one is held."""
  bat = (state.held != NOTHING) & (level.kind[state.held] == kinds.BAT)
  return eye(state) + (state.distance + TIP) * direction(state), bat


def _things(level: Bank, state: State) -> Boxes:
  """The things as boxes [K]; what is held, too."""
  half = level.width[:, None] * jnp.array([0.5, 0.5, 0.0])
  high = state.foot + half + level.height[:, None] * jnp.array([0.0, 0.0, 1.0])
  return Boxes(state.foot - half, high, rgb(COLOURS)[state.colour], state.on)


def _doors(level: Bank, state: State) -> Boxes:
  there = level.gate != kinds.ABSENT
  colour = jnp.broadcast_to(rgb(DOOR), there.shape)
  return Boxes(level.door[:, 0], level.door[:, 1], colour, there & ~state.opened)


def _plates(level: Bank, state: State) -> Boxes:
  colour = jnp.where(level.match, rgb(COLOURS)[state.colour[0]], rgb(PLAIN))
  used = (level.gate == kinds.SPEND) & state.opened
  there = (level.gate != kinds.ABSENT) & (level.gate != kinds.ONE_WAY) & ~used
  return Boxes(level.plate[:, 0], level.plate[:, 1], colour, there)


def _fixed(level: Bank) -> Boxes:
  low, high = level.fixed[:, 0], level.fixed[:, 1]
  colour = jnp.broadcast_to(rgb(FIXED), low.shape[:1])
  return Boxes(low, high, colour, high[:, 2] > low[:, 2])


def _tip(level: Bank, state: State) -> Boxes:
  at, bat = tip(level, state)
  colour = rgb(COLOURS)[state.colour[state.held]]
  return Boxes((at - TIP_SIZE / 2)[None], (at + TIP_SIZE / 2)[None], colour[None], bat[None])


def bridged(level: Bank, state: State) -> jax.Array:
  """Cells of the chasm that bridges lead over, as bits, uint32 [17]."""
  spans = jnp.where(state.opened[:, None], level.span, jnp.uint32(0))
  return jax.lax.reduce(spans, np.uint32(0), jax.lax.bitwise_or, (0,))


def geometry(level: Bank, state: State) -> Scene:
  """The scene as bodies know it: walls, chasms, and in boxes [G + K + F] shut doors, what stands in
  the way and what nothing moves."""
  boxes = _things(level, state)
  obstacle = (level.kind == kinds.CUBE) | (level.kind == kinds.BLOCK)
  held = jnp.arange(kinds.THINGS) == state.held
  nothing = jnp.zeros((), jnp.uint32)
  return Scene(
    solid=level.solid,
    void=level.void & ~bridged(level, state),
    floor=nothing,
    ceiling=nothing,
    wall=nothing,
    billboards=no_billboards(),
    boxes=_joined(
      _doors(level, state), boxes._replace(on=boxes.on & obstacle & ~held), _fixed(level)
    ),
  )


def boxes(level: Bank, state: State) -> Boxes:
  """All that can be seen but the apple: doors, plates, things, what is fixed, the bat's tip."""
  return _joined(
    _doors(level, state),
    _plates(level, state),
    _things(level, state),
    _fixed(level),
    _tip(level, state),
  )


def scene(level: Bank, state: State) -> Scene:
  """All that can be seen."""
  tone = state.look % 4
  pattern = state.look // 4 % len(patterns.NAMES)
  wall = wall_look(pattern, rgb(WALLS)[tone])
  bridge = row_cells(bridged(level, state))
  everything = boxes(level, state)
  return geometry(level, state)._replace(
    floor=jnp.where(bridge, rgb(DOOR), rgb(FLOORS)[level.floor.astype(jnp.int32)]),
    ceiling=rgb(CEILING),
    wall=jnp.broadcast_to(wall, (N, N)),
    billboards=Billboards(
      level.apple[None],
      jnp.full((1,), APPLE_SIZE, jnp.float32),
      jnp.zeros((1,), jnp.int32),
      rgb(APPLE[None]),
      rgb(STALK[None]),
      jnp.ones((1,), bool),
    ),
    boxes=jax.tree.map(lambda part: part[level.shown], everything),
  )


def camera(state: State) -> Camera:
  """The agent's eye."""
  return Camera(
    state.x,
    state.y,
    state.ground + EYE,
    jnp.cos(state.yaw),
    jnp.sin(state.yaw),
    jnp.tan(state.pitch),
  )
