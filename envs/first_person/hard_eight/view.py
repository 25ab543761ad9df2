"""An episode as a scene: what bodies and hands know of it, and what is to be seen."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import patterns
from envs.first_person.body import EYE
from envs.first_person.hard_eight import table
from envs.first_person.hard_eight.layouts import Bank
from envs.first_person.hard_eight.state import State, row_of, task_of
from envs.first_person.scene import (
  TEXELS,
  Atlas,
  Billboards,
  Boxes,
  Camera,
  N,
  Scene,
  bit_rows,
  no_billboards,
  rgb,
  texel_columns,
  wall_look,
)

COLOURS = np.array(
  [[220, 40, 40], [40, 180, 50], [60, 90, 235], [40, 200, 210], [215, 60, 205], [235, 210, 45]],
  np.uint8,
)
DOOR, APPLE, STALK = np.array([[150, 105, 70], [225, 40, 30], [70, 140, 50]], np.uint8)
FLOORS = np.array([[125, 120, 110], [150, 130, 95], [105, 95, 90], [40, 40, 45]], np.uint8)
WALLS = np.array([[170, 150, 130], [140, 155, 165], [165, 165, 120], [160, 130, 150]], np.uint8)
CEILING = np.array((190, 205, 220), np.uint8)
APPLE_SIZE = 0.8

_Y, _X = np.mgrid[:TEXELS, :TEXELS] - (TEXELS - 1) / 2
_FRUIT = (np.abs(_X) - 2.5) ** 2 + (_Y - 1.5) ** 2 < 30
_STALK = (np.abs(_X) < 1) & (_Y < -3)
ATLAS = Atlas(patterns.WALLS, texel_columns(np.where(_STALK, 2, _FRUIT.astype(int))[None]))


def _joined(*groups: Boxes) -> Boxes:
  return Boxes(*(jnp.concatenate(parts) for parts in zip(*groups, strict=True)))


def middles(state: State) -> jax.Array:
  """Middles (x, y, z) of the things, float32 [K, 3]."""
  return state.foot.at[:, 2].add(task_of(state.task).size / 2)


def thing_boxes(state: State) -> Boxes:
  """The things as boxes [K]; what is held, too."""
  level = task_of(state.task)
  half = level.size[:, None] * jnp.array([0.5, 0.5, 0.0])
  high = state.foot + half + level.size[:, None] * jnp.array([0.0, 0.0, 1.0])
  return Boxes(state.foot - half, high, rgb(COLOURS)[state.colour], state.on)


def _doors(bank: Bank, state: State) -> Boxes:
  door = jnp.asarray(bank.door)[row_of(state)]
  there = task_of(state.task).gate != table.ABSENT
  colour = jnp.broadcast_to(rgb(DOOR), there.shape)
  return Boxes(door[:, 0], door[:, 1], colour, there & ~state.opened)


def _plates(bank: Bank, state: State) -> Boxes:
  level, plate = task_of(state.task), jnp.asarray(bank.plate)[row_of(state)]
  colour = jnp.broadcast_to(rgb(COLOURS)[state.colour[0]], level.gate.shape)
  return Boxes(plate[:, 0], plate[:, 1], colour, level.gate != table.ABSENT)


def geometry(bank: Bank, state: State) -> Scene:
  """The scene as bodies know it: walls, chasms, shut doors and what stands in the way, [G + K]."""
  row, level = row_of(state), task_of(state.task)
  boxes = thing_boxes(state)
  obstacle = (level.kind == table.CUBE) | (level.kind == table.BLOCK)
  held = jnp.arange(table.THINGS) == state.held
  nothing = jnp.zeros((), jnp.uint32)
  return Scene(
    solid=bit_rows(~jnp.asarray(bank.open)[row]),
    void=bit_rows(jnp.asarray(bank.void)[row]),
    floor=nothing,
    ceiling=nothing,
    wall=nothing,
    billboards=no_billboards(),
    boxes=_joined(_doors(bank, state), boxes._replace(on=boxes.on & obstacle & ~held)),
  )


def scene(bank: Bank, state: State) -> Scene:
  """All that can be seen."""
  row = row_of(state)
  floors = rgb(FLOORS)
  tone = state.look % 4
  pattern = state.look // 4 % len(patterns.NAMES)
  wall = wall_look(pattern, rgb(WALLS)[tone])
  apple = jnp.asarray(bank.apple)[row]
  boxes = _joined(_doors(bank, state), _plates(bank, state), thing_boxes(state))
  return geometry(bank, state)._replace(
    floor=floors[jnp.asarray(bank.floor)[row].astype(jnp.int32)],
    ceiling=rgb(CEILING),
    wall=jnp.broadcast_to(wall, (N, N)),
    billboards=Billboards(
      apple[None],
      jnp.full((1,), APPLE_SIZE, jnp.float32),
      jnp.zeros((1,), jnp.int32),
      rgb(APPLE[None]),
      rgb(STALK[None]),
      jnp.ones((1,), bool),
    ),
    boxes=boxes,
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
