"""All that changes in an episode, and how one begins."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.draws import cell_of, middle, permutation, uniforms, whole
from envs.first_person.hard_eight import layouts, table
from envs.first_person.hard_eight.layouts import Bank
from envs.first_person.hard_eight.table import COLOURS, GATES, LINKS, THINGS

NOTHING = -1


class State(NamedTuple):
  """An episode of K things and G gates.

  Attributes:
    task, map: numbers of the task and of its map, int32.
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
    filled: recesses that something sank into, bool [G].
    reached: links of the chain, bool [L].
    look: of walls and floors, int32.
    reward: the last one, float32.
    steps: since the episode began, int32.
  """

  task: jax.Array
  map: jax.Array
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


def row_of(state: State) -> jax.Array:
  """The row of the bank that the episode's map is."""
  return state.task * layouts.MAPS + state.map


def task_of(task: jax.Array) -> table.Task:
  """The row of the table of a task, in arrays."""
  return table.Task(*(jnp.asarray(column)[task] for column in table.TABLE))


def here(state: State) -> jax.Array:
  """The number of the cell that the body is in, int32."""
  return cell_of(state.x, state.y)


def _spread(bank: Bank, row: jax.Array, area: jax.Array, drawn: jax.Array) -> jax.Array:
  """A cell for each of several, all different, int32 [S].

  The list of cells of an area is cut into as many parts as want a cell of it, from a random place
  on; each gives one.

  Args:
    bank: of all maps.
    row: of the map.
    area: that each is in, int32 [S].
    drawn: from [0, 1), float32 [S + A].
  """
  listed = jnp.asarray(bank.listed)[row][area]
  same = area[:, None] == area
  before = np.tril(np.ones((area.shape[0], area.shape[0]), bool), -1)
  count, place = same.sum(-1), (same & before).sum(-1)
  begin, end = place * listed // count, (place + 1) * listed // count
  slots = area.shape[0]
  within = begin + whole(drawn[:slots], jnp.maximum(end - begin, 1))
  index = (whole(drawn[slots:][area], listed) + within) % listed
  return jnp.asarray(bank.cells)[row][area, index]


def begin(bank: Bank, key: jax.Array, task: jax.Array, map_index: jax.Array) -> State:
  """Starts an episode of a task in one of its maps."""
  level = task_of(task)
  slots = 1 + THINGS
  drawn = uniforms(key, slots + layouts.AREAS + COLOURS + 2)
  row = task * layouts.MAPS + map_index
  # What is absent is spread with the others: it then only wants a part of its own.
  area = jnp.concatenate([jnp.zeros((1,), jnp.int32), level.area])
  cells = _spread(bank, row, area, drawn[: slots + layouts.AREAS])
  x, y = middle(cells)
  rest = drawn[slots + layouts.AREAS :]
  colour = permutation(rest[:COLOURS])[:THINGS]
  zero = jnp.float32(0.0)
  return State(
    task=jnp.asarray(task, jnp.int32),
    map=jnp.asarray(map_index, jnp.int32),
    x=x[0],
    y=y[0],
    ground=zero,
    yaw=(rest[COLOURS] * 2 - 1) * np.float32(np.pi),
    pitch=zero,
    moved=jnp.zeros((2,), jnp.float32),
    acceleration=jnp.zeros((2,), jnp.float32),
    foot=jnp.stack([x[1:], y[1:], jnp.zeros_like(x[1:])], -1),
    on=level.kind != table.NONE,
    colour=colour,
    held=jnp.int32(NOTHING),
    reach=zero,
    distance=zero,
    opened=jnp.zeros((GATES,), bool),
    filled=jnp.zeros((GATES,), bool),
    reached=jnp.zeros((LINKS,), bool),
    look=whole(rest[COLOURS + 1], 256),
    reward=zero,
    steps=jnp.int32(0),
  )
