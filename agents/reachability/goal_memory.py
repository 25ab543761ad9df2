"""The goal memory: a few states, far from each other, that stand for all that was seen.

A state joins iff it is new in both directions: no held one reaches it, and it reaches none,
  max_m r(m, x) < threshold   and   max_m r(x, m) < threshold,
so how many entries a place has depends on its extent, not on how often it was visited.
Source: Mezghani et al. 2023, GO-FRESH (arXiv 2301.02099), and its code (threshold 0, capacity
1000); Mezghani et al. 2022, Walk the Random Walk (arXiv 2206.11733).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from dm_env import specs

Logits = Callable[[jax.Array, jax.Array], jax.Array]
"""(source [..., F], target [..., F]) -> [...], with leading axes that broadcast: the network's
`logits` with its parameters bound."""


Direction = Literal["into", "out_of"]
"""Of a way, seen from a state: into it from an entry, or out of it towards one."""
DIRECTIONS: tuple[Direction, Direction] = ("into", "out_of")


class GoalMemory(NamedTuple):
  """M places for views, of which the first `size` are held.

  Attributes:
    views: what was seen, as the environment gives it, [M, *O].
    features: the network's features of them, float32 [M, F].
    size: int32.
  """

  views: jax.Array
  features: jax.Array
  size: jax.Array


def init(capacity: int, view_spec: specs.Array, features: int) -> GoalMemory:
  """An empty memory of M = `capacity` places for views [*O], with F = `features`.

  Raises:
    ValueError: for no places.
  """
  if capacity < 1:
    raise ValueError(f"The goal memory's capacity is {capacity}; it must be at least 1.")
  return GoalMemory(
    jnp.zeros((capacity, *view_spec.shape), view_spec.dtype),
    jnp.zeros((capacity, features), jnp.float32),
    jnp.int32(0),
  )


def insert(
  memory: GoalMemory,
  views: jax.Array,
  features: jax.Array,
  logits_fn: Logits,
  threshold: float | jax.Array,
  key: jax.Array,
  allowed: jax.Array | None = None,
) -> GoalMemory:
  """The memory after N candidates, which join in their order, each if it is new to those before.

  A new one that finds the memory full takes the place of a random entry.

  Args:
    memory: before.
    views: [N, *O].
    features: float32 [N, F], of the same network as the memory's.
    logits_fn: the network's `logits`, bound to its parameters.
    threshold: a candidate is new if all logits are below.
    key: random, for what is replaced.
    allowed: bool [N], which are candidates at all; by default all are.
  """
  allowed = jnp.ones(len(views), bool) if allowed is None else allowed
  capacity = memory.features.shape[0]
  victims = jax.random.randint(key, allowed.shape, 0, capacity)

  def meet(memory: GoalMemory, candidate: tuple[jax.Array, ...]) -> tuple[GoalMemory, None]:
    view, x, allowed, victim = candidate
    known = jnp.maximum(logits_fn(memory.features, x), logits_fn(x, memory.features)) >= threshold
    joins = allowed & ~jnp.any(known & (jnp.arange(capacity) < memory.size))
    place = jnp.where(memory.size < capacity, memory.size, victim)
    place = jnp.where(joins, place, capacity)  # past the end nothing is written
    return GoalMemory(
      memory.views.at[place].set(view, mode="drop"),
      memory.features.at[place].set(x, mode="drop"),
      jnp.minimum(memory.size + joins, capacity),
    ), None

  return jax.lax.scan(meet, memory, (views, features, allowed, victims))[0]


def refresh(
  memory: GoalMemory,
  features_fn: Callable[[jax.Array], jax.Array],
  logits_fn: Logits,
  threshold: float | jax.Array,
) -> GoalMemory:
  """The memory by the network as it is now, without entries that an earlier one makes redundant.

  What is kept moves up in its order, so that held entries come first.

  Args:
    memory: before.
    features_fn: views [M, *O] -> float32 [M, F]: whatever encodes views, then the network's
      `features`.
    logits_fn: the network's `logits`, bound to its parameters.
    threshold: as for `insert`.
  """
  held = jnp.arange(len(memory.views)) < memory.size
  empty = memory._replace(size=jnp.int32(0))
  # As many candidates as places: nothing is ever replaced, and the key is idle.
  key = jax.random.key(0)
  return insert(empty, memory.views, features_fn(memory.views), logits_fn, threshold, key, held)


def nearest(
  memory: GoalMemory,
  features: jax.Array,
  logits_fn: Logits,
  direction: Direction,
  block: int = 256,
) -> jax.Array:
  """The entry with the highest logit, int32 [N], for each of N states; -1 if nothing is held.

  Args:
    memory: whose entries are asked.
    features: float32 [N, F].
    logits_fn: the network's `logits`, bound to its parameters.
    direction: of the way, seen from the state: `out_of` it towards an entry, max_m r(x, m), or
      `into` it from an entry, max_m r(m, x).
    block: states at a time, each of which needs some M F floats.
  """
  held = jnp.arange(len(memory.views)) < memory.size

  def of_one(x: jax.Array) -> jax.Array:
    ways = logits_fn(x, memory.features) if direction == "out_of" else logits_fn(memory.features, x)
    return jnp.argmax(jnp.where(held, ways, -jnp.inf)).astype(jnp.int32)

  indices = jax.lax.map(of_one, features, batch_size=block)
  return jnp.where(memory.size > 0, indices, -1)
