"""What is to be found in a maze: objects of five kinds, each with its law of motion.

  fixed        stays where it was placed
  bouncing     goes straight ahead, one cell a step, and turns back where a wall or a door blocks
  brownian     takes one of the four directions uniformly at each step; blocked, it stays
  white_noise  is at each step in a cell drawn uniformly from its room
  movable      goes one cell on when the agent steps into its cell, if that cell is free

Each lives in a room of its own and never leaves it. The agent walks over objects, save that a
movable one which cannot go on blocks it. The kinds are those of NDIGO's worlds (arXiv 1902.07685);
that a movable object is pushed, and that a blocked Brownian one stays, are ours.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.mazes.maps import Map

KINDS = ("fixed", "bouncing", "brownian", "white_noise", "movable")
RANDOM = ("brownian", "white_noise")
"""The kinds that stay unpredictable, however well their law is known."""
DIRECTIONS = 4


class Object(NamedTuple):
  """An object as the episode finds it.

  Attributes:
    kind: one of `KINDS`.
    room: cells of its room, int32 [K].
    starts: (cell, direction) pairs, int32 [M, 2], of which a reset draws one uniformly.
  """

  kind: str
  room: np.ndarray
  starts: np.ndarray


def somewhere(kind: str, world: Map, room: int, avoid: int) -> Object:
  """Returns an object that starts anywhere in a room but in the cell `avoid`.

  A bouncing one starts in a direction in which it can go.
  """
  cells = world.room_cells(room)
  free = cells[cells != avoid]
  if kind == "bouncing":
    index, direction = np.nonzero(world.next_inside[free, :DIRECTIONS] != free[:, None])
    starts = np.stack([free[index], direction], 1)
  else:
    starts = np.stack([free, np.zeros_like(free)], 1)
  return Object(kind, cells, starts.astype(np.int32))


def choose(options: np.ndarray, uniform: jax.Array) -> jax.Array:
  """Returns the element of `options` [M, ...] that a float32 uniform on [0, 1) picks."""
  return jnp.asarray(options)[(uniform * len(options)).astype(jnp.int32)]


def push(world: Map, object_cell: jax.Array, target: jax.Array, action: jax.Array) -> jax.Array:
  """Returns where a movable object is once the agent has tried to step into the cell `target`."""
  onward = jnp.asarray(world.next_inside)[object_cell, action]
  return jnp.where(target == object_cell, onward, object_cell)


def move(
  thing: Object, world: Map, cell: jax.Array, direction: jax.Array, uniform: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Moves an object by itself, for one step.

  Args:
    thing: the object.
    world: the map.
    cell, direction: where it is and where it heads, int32.
    uniform: float32 on [0, 1), drawn for this object and step.

  Returns:
    Its new cell and direction, int32.
  """
  inside = jnp.asarray(world.next_inside)
  if thing.kind == "bouncing":
    back = (direction + DIRECTIONS // 2) % DIRECTIONS
    direction = jnp.where(inside[cell, direction] == cell, back, direction)
    return inside[cell, direction], direction
  if thing.kind == "brownian":
    return inside[cell, (uniform * DIRECTIONS).astype(jnp.int32)], direction
  if thing.kind == "white_noise":
    return choose(thing.room, uniform), direction
  return cell, direction
