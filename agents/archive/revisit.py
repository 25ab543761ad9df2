"""Going back: to cells of the archive, or to a point on the way of a demonstration."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from agents.agent import Revisited, Standing
from agents.archive import archive as archives
from agents.archive.acting import nothing_to_practise
from agents.archive.parts import Parts
from agents.archive.state import Lanes, LearnerState, Way
from agents.when import rows_where


class Place(NamedTuple):
  """Where environments are put, arrays [N, ...], and how that was come to."""

  standing: Standing
  way: Way
  score: jax.Array
  length: jax.Array


def replay(parts: Parts, way: Way, length: jax.Array) -> Place:
  """Goes so many steps, int32 [N], along ways [N]; the same steps lead to the same bits."""
  env = parts.env
  dtype = env.action_spec().dtype

  def step(now: tuple[jax.Array, Standing, jax.Array]) -> tuple[jax.Array, Standing, jax.Array]:
    t, standing, score = now
    action = jnp.take(way.actions, t, axis=1, mode="clip").astype(dtype)
    state, timestep = jax.vmap(env.step)(standing.state, action)
    on = t < length
    standing = rows_where(on, Standing(state, timestep.observation), standing)
    return t + 1, standing, score + jnp.where(on, timestep.reward, 0.0)

  start = (jnp.int32(0), way.beginning, jnp.zeros(length.shape, jnp.float32))
  _, standing, score = jax.lax.while_loop(lambda now: now[0] < jnp.max(length), step, start)
  return Place(standing, way, score, length)


def from_archive(parts: Parts, state: LearnerState, key: jax.Array, count: int) -> Place:
  """So many cells of the archive, drawn by how promising they are."""
  archive = state.archive
  weights = archives.weights(archive, parts.settings.return_by)
  at = archives.choose(weights, count, key)
  cell, score, length = jax.tree.map(lambda x: x[at], (archive.kept, archive.score, archive.length))
  return Place(cell.standing, cell.way, score, length)


def from_demonstrations(
  parts: Parts, state: LearnerState, key: jax.Array, needed: jax.Array
) -> tuple[Place, jax.Array, jax.Array]:
  """A point on the way of a demonstration for each environment, where it is needed, bool [N].

  Returns:
    The places, the demonstrations int32 [N], and the scores float32 [N] that their ways have.
  """
  demo_key, point_key = jax.random.split(key)
  bank = state.demonstrations
  at = archives.choose(bank.filled.astype(jnp.float32), len(needed), demo_key)
  latest = state.practice.point[at]
  earliest = jnp.maximum(latest - parts.settings.backward_window, 0)
  length = jax.random.randint(point_key, at.shape, earliest, latest + 1)
  length = jnp.where(needed, length, 0)
  way: Way = jax.tree.map(lambda x: x[at], bank.kept)
  return replay(parts, way, length), at, bank.score[at]


def revisit(parts: Parts, state: LearnerState, standing: Standing, key: jax.Array) -> Revisited:
  """See `agents.agent.Agent.revisit`: the first environments explore, the others practise."""
  lanes, count, settings = state.lanes, parts.explorers, parts.settings
  explore_key, practise_key = jax.random.split(key)
  explores = (jnp.arange(parts.batch) < count) | nothing_to_practise(state)
  done = (lanes.since >= settings.explore_steps) | lanes.at_home
  goes = explores & done & jnp.any(state.archive.filled)
  over = (lanes.attempt < 0) & ~(lanes.at_home & lanes.stays)
  practises = ~explores & over & jnp.any(state.demonstrations.filled)

  of_archive = from_archive(parts, state, explore_key, parts.batch)
  of_bank, demo, target = from_demonstrations(parts, state, practise_key, practises[count:])
  of_both = jax.tree.map(lambda a, b: jnp.concatenate([a[:count], b]), of_archive, of_bank)
  place: Place = rows_where(explores, of_archive, of_both)
  moved = goes | practises
  target = settings.backward_match * target
  none = jnp.full(count, -1, jnp.int32)
  new = Lanes(
    place.way,
    place.score,
    place.length,
    jnp.zeros(parts.batch, jnp.int32),
    jnp.ones(parts.batch, bool),
    jnp.zeros(parts.batch, bool),
    jnp.zeros(parts.batch, bool),
    jnp.where(explores, -1, jnp.concatenate([none, demo])),
    jnp.concatenate([jnp.zeros(count), target]),
  )
  returns = state.counts.returns + jnp.sum(moved)
  after = state._replace(
    lanes=rows_where(moved, new, lanes), counts=state.counts._replace(returns=returns)
  )
  return Revisited(after, rows_where(moved, place.standing, standing), moved)
