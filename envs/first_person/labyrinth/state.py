"""All that changes in an episode of the labyrinth, and how it begins anew within one."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.body import HEADINGS, Pose
from envs.first_person.draws import middle, whole
from envs.first_person.labyrinth import maps, table
from envs.first_person.labyrinth.maps import Bank
from envs.first_person.scene import N

SLOTS = 24
"""Things of an episode at most."""
WORDS = 7
"""Words of an instruction at most."""

COLLECT, GOAL, PLATFORM, END, ANSWER, EVERY, PAD, BACK, KEY, BOX, BOT, IMAGE = range(12)
"""What touching a thing does besides paying its value (`Things.kind`):

what is collected is gone; a goal moves the agent; the platform pays for standing on it; an end
terminates; an answer brings a new task; of `every`, the last one does; the pad leads to the other
room, the things there back; a key is taken; a box makes the floor bright; opponents and images are
not touched.
"""


class Things(NamedTuple):
  """Things by slot, each field [24].

  Attributes:
    x, y: place of the middle, float32.
    z: height of the foot, float32.
    shape: row of the atlas's shapes, int32; -1 for what is not to be seen.
    colour: number of a colour, int32.
    kind: what touching does, int32; see above.
    value: what touching pays, float32.
    on: whether it is there, bool.
    back: steps until it returns by itself, int32; 0 for never.
  """

  x: jax.Array
  y: jax.Array
  z: jax.Array
  shape: jax.Array
  colour: jax.Array
  kind: jax.Array
  value: jax.Array
  on: jax.Array
  back: jax.Array


class Lab(NamedTuple):
  """The laboratory's trials; int32 scalars.

  Attributes:
    gaze: 0 the middle, 1 left, 2 right, 3 up, 4 down.
    phase: 0 between trials, 1 what is to be remembered is shown, 2 nothing is, 3 it is asked for.
    wait: steps until the phase ends, 0 for none.
    answer: the gaze that is right.
    trial: trials begun in this episode.
    shown: images that were shown (recognition), or are asked for (mapping).
    asked: images of this round that were asked for (mapping).
    faultless: whether none of them was missed, 0 or 1.
    seed: of what the episode keeps: pairs of images and directions, the order of images.
    round_seed: the same of the round, or the trial.
  """

  gaze: jax.Array
  phase: jax.Array
  wait: jax.Array
  answer: jax.Array
  trial: jax.Array
  shown: jax.Array
  asked: jax.Array
  faultless: jax.Array
  seed: jax.Array
  round_seed: jax.Array


class State(NamedTuple):
  """An episode.

  Attributes:
    level: index of the level, int32 0 to 29.
    map: index of its map, int32 0 to 39.
    pose: the agent's.
    things: what can be touched.
    shut: whether each door of the map is shut, bool [16].
    colours: of rooms and of doors, as the episode drew them, int32 [8].
    bright: whether the floor that has a switch is bright, bool.
    held: colour of the key that is held, -1 for none, int32.
    words: the instruction, int32 [7], 0 for none; see `words`.
    pickups: things picked up, or steps on the platform, int32.
    target: where opponents walk to, a number of the map's spots each, int32 [3].
    lab: the laboratory.
    steps: steps since the episode began, int32.
    key: for all that is drawn later.
  """

  level: jax.Array
  map: jax.Array
  pose: Pose
  things: Things
  shut: jax.Array
  colours: jax.Array
  bright: jax.Array
  held: jax.Array
  words: jax.Array
  pickups: jax.Array
  target: jax.Array
  lab: Lab
  steps: jax.Array
  key: jax.Array


def row_of(level: jax.Array, map_index: jax.Array) -> jax.Array:
  """The row of the bank that a level's map is."""
  return level * maps.MAPS + map_index


def take(column: np.ndarray, row: jax.Array) -> jax.Array:
  """A row of a column of the bank, or of the table."""
  return jnp.asarray(column)[row]


def scattered(bank: Bank, row: jax.Array, uniforms: jax.Array, count: jax.Array) -> jax.Array:
  """Cells of a map for the agent and its things, no two the same, int32 [25].

  The map's list of cells, which is in a random order, is cut into 1 + count parts that begin at a
  random place; each gives one cell.

  Args:
    bank: of all maps.
    row: of the map.
    uniforms: from [0, 1), float32 [26].
    count: of things; entries beyond 1 + count are not distinct from the others.
  """
  cells, listed = take(bank.cells, row), take(bank.listed, row).astype(jnp.int32)
  part = jnp.arange(SLOTS + 1)
  parts = count + 1
  begin, end = part * listed // parts, (part + 1) * listed // parts
  within = begin + whole(uniforms[: SLOTS + 1], jnp.maximum(end - begin, 1))
  return cells[(whole(uniforms[SLOTS + 1], listed) + within) % listed].astype(jnp.int32)


def standing(cell: jax.Array, heading: jax.Array) -> Pose:
  """A body in the middle of a cell."""
  x, y = middle(cell)
  return Pose(x, y, jnp.float32(0.0), heading.astype(jnp.int32))


def anywhere(bank: Bank, row: jax.Array, uniforms: jax.Array, but: jax.Array) -> Pose:
  """A body in a random cell of a map, looking anywhere, and not in the cell `but`."""
  cells, listed = take(bank.cells, row), take(bank.listed, row).astype(jnp.int32)
  drawn = whole(uniforms[0], listed)
  cell = cells[drawn].astype(jnp.int32)
  cell = jnp.where(cell == but, cells[(drawn + 1) % listed].astype(jnp.int32), cell)
  return standing(cell, whole(uniforms[1], HEADINGS))


def on_the_rim(uniform: jax.Array) -> Pose:
  """A body at the rim of the arena, looking at its middle."""
  heading = whole(uniform, HEADINGS)
  angle = (heading.astype(jnp.float32) + HEADINGS // 2) * np.float32(2 * np.pi / HEADINGS)
  x, y = N / 2 + 4.9 * jnp.cos(angle), N / 2 + 4.9 * jnp.sin(angle)
  return Pose(x, y, jnp.float32(0.0), heading)


def level_of(level: jax.Array) -> table.Level:
  """A row of the table, of arrays."""
  return table.Level(*(jnp.asarray(column)[level] for column in table.TABLE))
