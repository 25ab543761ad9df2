"""Which doors of a map are shut: some paths are open, some doors open by keys or by a box."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.body import Pose
from envs.first_person.draws import cell_of, whole
from envs.first_person.labyrinth import maps, table
from envs.first_person.labyrinth.maps import DOORS, REGIONS, TREES, Bank
from envs.first_person.labyrinth.state import take
from envs.first_person.scene import N


@functools.cache
def ways() -> np.ndarray:
  """Doors on the way between two regions, along random spanning trees, as bits.

  Returns:
    int32 [80, 4, 24, 24], of the maps of the two obstructed levels; bit d is of door d.
  """
  links, levels = maps.load().links, table.OBSTRUCTED
  rows = [level * maps.MAPS + k for level in levels for k in range(maps.MAPS)]
  return np.stack([_of_map(np.random.default_rng(row), links[row]) for row in rows])


def _of_map(rng: np.random.Generator, links: np.ndarray) -> np.ndarray:
  bits = np.zeros((TREES, REGIONS, REGIONS), np.int32)
  present = np.flatnonzero(links[:, 0] >= 0)
  for tree in range(TREES):
    joined = [{region} for region in range(REGIONS)]
    for door in rng.permutation(present):
      one, other = links[door]
      if one in joined[other]:
        continue
      here, there = list(joined[one]), list(joined[other])
      for a in here:
        for b in there:
          way = bits[tree, a, one] | bits[tree, other, b] | 1 << int(door)
          bits[tree, a, b] = bits[tree, b, a] = way
      together = joined[one] | joined[other]
      for region in together:
        joined[region] = together
  return bits


def obstructed(
  bank: Bank, row: jax.Array, pose: Pose, goal: tuple[jax.Array, jax.Array], drawn: jax.Array
) -> jax.Array:
  """Shuts half of the doors but for those on one way from a body to the goal, bool [16].

  Args:
    bank: of all maps.
    row: of the map, of an obstructed level.
    pose: of the body.
    goal: its place (x, y).
    drawn: from [0, 1), float32 [17].
  """
  room = take(bank.room, row).reshape(-1)
  here = jnp.clip(room[cell_of(pose.x, pose.y)].astype(jnp.int32), 0, REGIONS - 1)
  there = jnp.clip(room[cell_of(*goal)].astype(jnp.int32), 0, REGIONS - 1)
  first = table.OBSTRUCTED[0] * maps.MAPS
  table_row = jnp.clip(row - first, 0, len(table.OBSTRUCTED) * maps.MAPS - 1)
  way = jnp.asarray(ways())[table_row, whole(drawn[DOORS], TREES), here, there]
  on_way = (way >> np.arange(DOORS)) & 1 == 1
  return (drawn[:DOORS] < 0.5) & ~on_way & (take(bank.door, row) >= 0)


def shut(
  bank: Bank,
  row: jax.Array,
  level: jax.Array,
  family: jax.Array,
  bright: jax.Array,
  pose: Pose,
  goal: tuple[jax.Array, jax.Array],
  drawn: jax.Array,
) -> jax.Array:
  """Which doors are shut as an episode begins, bool [16].

  Args:
    bank: of all maps.
    row: of the map.
    level, family: of the episode.
    bright: whether the floor with a switch is.
    pose: the agent's.
    goal: place of the thing in slot 0.
    drawn: from [0, 1), float32 [17 or more].
  """
  there = take(bank.door, row) >= 0
  half = obstructed(bank, row, pose, goal, drawn)
  is_obstructed = (level == table.OBSTRUCTED[0]) | (level == table.OBSTRUCTED[1])
  by_light = (family == table.DEFERRED) & ~bright
  return jnp.where(is_obstructed, half, there & ((family == table.KEYS) | by_light))


def solid_rows(bank: Bank, row: jax.Array, shut: jax.Array) -> jax.Array:
  """Bits of the shut doors' cells by row of the map, uint32 [17]."""
  door = take(bank.door, row).astype(jnp.int32)
  bit = jnp.where(shut & (door >= 0), jnp.uint32(1) << (31 - door % N).astype(jnp.uint32), 0)
  in_row = door // N == np.arange(N)[:, None]
  return jnp.where(in_row, bit.astype(jnp.uint32), 0).sum(-1, dtype=jnp.uint32)
