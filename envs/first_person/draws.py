"""Random numbers of an episode, cells by number, and choices between trees."""

from __future__ import annotations

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.scene import N


def middle(cell: jax.Array) -> tuple[jax.Array, jax.Array]:
  """The middle (x, y) of a cell given by its number."""
  row, column = jnp.divmod(cell.astype(jnp.int32), N)
  return column.astype(jnp.float32) + 0.5, row.astype(jnp.float32) + 0.5


def cell_of(x: jax.Array, y: jax.Array) -> jax.Array:
  """The number of the cell that a place is in, int32."""
  return jnp.floor(y).astype(jnp.int32) * N + jnp.floor(x).astype(jnp.int32)


Tree = TypeVar("Tree")


def choose(condition: jax.typing.ArrayLike, yes: Tree, no: Tree) -> Tree:
  """`yes` where a scalar condition holds, else `no`, of trees."""
  return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def uniforms(key: jax.Array, count: int) -> jax.Array:
  """Numbers from [0, 1), multiples of 2^-16, float32 [count]: half the work of whole ones."""
  bits = jax.random.bits(key, (count,), jnp.uint16)
  return bits.astype(jnp.float32) * np.float32(2.0**-16)


def permutation(drawn: jax.Array) -> jax.Array:
  """The order of numbers, int32 [count]; a random one of numbers drawn from [0, 1)."""
  place = np.arange(drawn.shape[0])
  before = (drawn[None] < drawn[:, None]) | (
    (drawn[None] == drawn[:, None]) & (place[None] < place[:, None])
  )
  return before.sum(-1, dtype=jnp.int32)


def whole(uniform: jax.Array, count: jax.Array | int) -> jax.Array:
  """A whole number from 0 to count - 1 of a number drawn from [0, 1), int32."""
  return jnp.minimum(jnp.floor(uniform * count), count - 1).astype(jnp.int32)
