"""All that changes in an episode, and how one begins."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.draws import cell_of, middle, permutation, uniforms, whole
from envs.first_person.hard_eight import kinds
from envs.first_person.hard_eight.kinds import AREAS, COLOURS, GATES, LINKS, THINGS
from envs.first_person.hard_eight.maps import Bank

NOTHING = -1


class State(NamedTuple):
  """An episode of K things and G gates.

  Attributes:
    row: of the bank, which map it is, int32.
    x, y, ground: of the body, float32.
    yaw: radians from east towards south, float32.
    pitch: radians that the eye looks up by, float32.
    moved: how far the last step went, (x, y), float32 [2].
    acceleration: to the right and ahead, of a full step at most 1, float32 [2].
    foot: middle of the underside (x, y, z) of each thing, float32 [K, 3].
    on: whether the thing is there, bool [K].
    colour: of each thing, 0 to 5, int32 [K].
    held: the thing that is held, or NOTHING, int32.
    reach: how far ahead of the eye it is to be held, float32.
    distance: how far it is held, float32.
    opened: gates, bool [G].
    filled: recesses that something sank into, and gates that have shut for good, bool [G].
    reached: links of the chain, bool [L].
    look: of walls and floors, int32.
    reward: the last one, float32.
    steps: since the episode began, int32.
  """

  row: jax.Array
  x: jax.Array
  y: jax.Array
  ground: jax.Array
  yaw: jax.Array
  pitch: jax.Array
  moved: jax.Array
  acceleration: jax.Array
  foot: jax.Array
  on: jax.Array
  colour: jax.Array
  held: jax.Array
  reach: jax.Array
  distance: jax.Array
  opened: jax.Array
  filled: jax.Array
  reached: jax.Array
  look: jax.Array
  reward: jax.Array
  steps: jax.Array


def here(state: State) -> jax.Array:
  """The number of the cell that the body is in, int32."""
  return cell_of(state.x, state.y)


def _spread(level: Bank, area: jax.Array, drawn: jax.Array) -> jax.Array:
  """A cell for each of several, all different, int32 [S].

  The list of cells of an area is cut into as many parts as want a cell of it, from a random place
  on; each gives one.

  Args:
    level: the map.
    area: that each is in, int32 [S].
    drawn: from [0, 1), float32 [S + A].
  """
  listed = level.listed[area]
  same = area[:, None] == area
  before = np.tril(np.ones((area.shape[0], area.shape[0]), bool), -1)
  count, place = same.sum(-1), (same & before).sum(-1)
  begin, end = place * listed // count, (place + 1) * listed // count
  slots = area.shape[0]
  within = begin + whole(drawn[:slots], jnp.maximum(end - begin, 1))
  index = (whole(drawn[slots:][area], listed) + within) % listed
  return level.cells[area, index]


def begin(level: Bank, row: jax.Array, key: jax.Array) -> State:
  """Starts an episode in a map, which is so many rows down the bank."""
  slots = 1 + THINGS
  drawn = uniforms(key, slots + AREAS + COLOURS + 2)
  # What is absent is spread with the others: it then only wants a part of its own.
  area = jnp.concatenate([jnp.zeros((1,), jnp.int32), level.area])
  x, y = middle(_spread(level, area, drawn[: slots + AREAS]))
  rest = drawn[slots + AREAS :]
  zero = jnp.float32(0.0)
  return State(
    row=jnp.asarray(row, jnp.int32),
    x=x[0],
    y=y[0],
    ground=zero,
    yaw=(rest[COLOURS] * 2 - 1) * np.float32(np.pi),
    pitch=zero,
    moved=jnp.zeros((2,), jnp.float32),
    acceleration=jnp.zeros((2,), jnp.float32),
    foot=jnp.stack([x[1:], y[1:], level.base], -1),
    on=level.kind != kinds.NONE,
    colour=permutation(rest[:COLOURS])[np.arange(THINGS) % COLOURS],
    held=jnp.int32(NOTHING),
    reach=zero,
    distance=zero,
    opened=level.gate == kinds.ONE_WAY,
    filled=jnp.zeros((GATES,), bool),
    reached=jnp.zeros((LINKS,), bool),
    look=whole(rest[COLOURS + 1], 256),
    reward=zero,
    steps=jnp.int32(0),
  )
