"""Which cell a state belongs to, and which beginnings are explored."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from agents.archive import archive as archives
from agents.archive import hashing
from agents.archive.parts import Parts
from agents.archive.state import Beginnings, LearnerState
from agents.archive.ways import Entries
from agents.bonuses.episodic_counts import simhash
from agents.latent import forward
from agents.trajectory import Trajectory
from envs.observation import visible


def codes(
  parts: Parts,
  state: LearnerState,
  trajectory: Trajectory,
  entries: Entries,
  promise: jax.Array,
) -> jax.Array:
  """The cells of the entries of a trajectory, uint32 [T+1, B]; `promise`, float32 [T+1, B], is what
  a bonus pays for them."""
  settings = parts.settings
  if settings.cells == "places":
    hidden = trajectory.oracle
    within = hashing.of((hidden.place, hidden.objects), 2)
  elif settings.cells == "views":
    within = hashing.of(visible(trajectory.observation), 2)
  elif settings.cells == "latents":
    latents = forward.encode(parts.inner, state.inner, trajectory.observation)
    within = simhash(state.projection, latents)
  else:
    level = jnp.floor(settings.bonus_levels * jnp.log2(jnp.maximum(promise, 1e-9)))
    within = level.astype(jnp.int32).astype(jnp.uint32)
  return hashing.joined(entries.code, within)


def is_in(codes: jax.Array, filled: jax.Array, code: jax.Array) -> jax.Array:
  """Whether codes, uint32 [...], are among those of a table [K], where it is filled; bool [...]."""
  return jnp.any((code[..., None] == codes) & filled, axis=-1)


def open_beginnings(
  beginnings: Beginnings, code: jax.Array, valid: jax.Array, taken: jax.Array
) -> Beginnings:
  """The table with new beginnings, uint32 [N], in its empty places and those of solved ones.

  Args:
    beginnings: the table [K].
    code: of the beginnings that were met; of equals the first counts.
    valid: bool [N], which there are.
    taken: bool [N], which were solved before, and are not to be explored anew.
  """
  size = beginnings.code.shape[0]
  numbers = jnp.arange(code.shape[0])
  added = valid & ~taken & ~is_in(beginnings.code, beginnings.filled, code)
  _, order = jax.lax.sort(
    (jnp.where(added, code, jnp.uint32(archives.NO_CODE)), numbers), num_keys=2
  )
  again = jnp.zeros_like(added).at[order[1:]].set(code[order[1:]] == code[order[:-1]])
  added &= ~again
  room = ~beginnings.filled | beginnings.solved
  places = jnp.argsort(~room, stable=True)
  rank = jnp.cumsum(added) - 1
  added &= rank < jnp.sum(room)
  at = jnp.where(added, places[jnp.clip(rank, 0, size - 1)], size)
  return Beginnings(
    beginnings.code.at[at].set(code, mode="drop"),
    beginnings.filled.at[at].set(True, mode="drop"),
    beginnings.solved.at[at].set(False, mode="drop"),
  )
