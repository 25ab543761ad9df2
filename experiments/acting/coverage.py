"""Coverage: which places of an environment a run has seen, how often, and when first."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from agents.agent import Metrics
from agents.trajectory import Trajectory
from envs.capabilities import Places

SO_FAR = ("coverage", "rooms")
"""Metrics of which the last counts, not the mean over updates."""
NEVER = np.iinfo(np.int32).max


class Coverage(NamedTuple):
  """Of the P places of an environment, each int32 [P].

  Attributes:
    visits: steps that were spent there.
    first_visit: environment steps done, of all environments, when it was first seen; or NEVER.
  """

  visits: jax.Array
  first_visit: jax.Array


def init(places: Places) -> Coverage:
  count = places.rows * places.columns
  return Coverage(jnp.zeros(count, jnp.int32), jnp.full(count, NEVER, jnp.int32))


def update(coverage: Coverage, trajectory: Trajectory, step: jax.Array) -> Coverage:
  """Counts a trajectory's T * B steps; its last entry opens the next one. `step` came before it."""
  place = trajectory.oracle.place[:-1]
  when = step + jnp.arange(place.shape[0], dtype=jnp.int32)[:, None] * place.shape[1]
  return Coverage(
    coverage.visits.at[place].add(1),
    coverage.first_visit.at[place].min(jnp.broadcast_to(when, place.shape)),
  )


def metrics(coverage: Coverage, trajectory: Trajectory, places: Places) -> Metrics:
  """Shares in [0, 1]: of the places and of the rooms seen so far, and of time spent near noise."""
  visited = jnp.where(places.reachable, coverage.visits > 0, False)
  out = {
    "coverage": jnp.sum(visited) / max(int(places.reachable.sum()), 1),
    "near_noise": jnp.mean(trajectory.oracle.near_noise[:-1].astype(jnp.float32)),
  }
  rooms = int(places.rooms.max()) + 1
  if rooms:
    entered = jnp.zeros(rooms, bool).at[places.rooms].max(visited & (places.rooms >= 0))
    out["rooms"] = jnp.mean(entered.astype(jnp.float32))
  return out
