"""Following episodes: how each entry of a trajectory was come to, from the beginning on."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents.agent import Standing
from agents.archive import hashing
from agents.archive.state import Cell, Lanes, Way
from agents.trajectory import Trajectory
from agents.when import rows_where
from envs.environment import LAST


class Entries(NamedTuple):
  """How each entry was come to, arrays [T+1, B].

  Attributes:
    score, length: float32 and int32, of the way from the beginning.
    begun: int32, the entry that the episode began with; -1 for one that began before.
    code: uint32, the hash of the beginning.
    counts: bool, whether the entry is an arrival of this unroll: not that which ended the last one.
  """

  score: jax.Array
  length: jax.Array
  begun: jax.Array
  code: jax.Array
  counts: jax.Array


class Outcome(NamedTuple):
  """What became of the attempts, bool [B]: ended, and of these, successful."""

  ended: jax.Array
  success: jax.Array


class _Now(NamedTuple):
  score: jax.Array
  length: jax.Array
  since: jax.Array
  begun: jax.Array
  running: jax.Array
  success: jax.Array


def follow(
  lanes: Lanes, trajectory: Trajectory, stays: jax.Array, is_start: jax.Array
) -> tuple[Lanes, Entries, Outcome]:
  """Follows the episodes of an unroll.

  Args:
    lanes: of its environments, before it.
    trajectory: with states, [T+1, B].
    stays: bool [B], whether an episode that begins anew is left to play on.
    is_start: bool, whether this is the first unroll of the run.

  Returns:
    The lanes after it, how its entries were come to, and what became of the attempts.
  """
  first, last = trajectory.first, trajectory.step_type == LAST
  # A FIRST where it was gone back to goes on with the way to there.
  begins = first.at[0].set(first[0] & ~lanes.placed)

  def step(now: _Now, inputs: tuple) -> tuple[_Now, tuple]:
    t, begins, last, reward = inputs
    moved = (t > 0).astype(jnp.int32)
    score = jnp.where(begins, 0.0, now.score + moved * reward)
    length = jnp.where(begins, 0, now.length + moved)
    reached = now.running & (score >= lanes.target) & (t > 0)
    ends = now.running & (reached | last) & (t > 0)
    now = _Now(
      score,
      length,
      jnp.where(begins, 0, now.since + moved),
      jnp.where(begins, t, now.begun),
      now.running & ~ends,
      now.success | reached,
    )
    return now, (score, length, now.begun)

  batch = lanes.score.shape
  running = lanes.attempt >= 0
  start = _Now(
    lanes.score, lanes.length, lanes.since, jnp.full(batch, -1), running, jnp.zeros(batch, bool)
  )
  times = jnp.arange(first.shape[0], dtype=jnp.int32)
  now, (score, length, begun) = jax.lax.scan(step, start, (times, begins, last, trajectory.reward))
  codes = hashing.of(trajectory.state, 2)
  of_begun = jnp.take_along_axis(codes, jnp.maximum(begun, 0), axis=0)
  code = jnp.where(begun < 0, lanes.way.code, of_begun)
  counts = jnp.ones(first.shape, bool).at[0].set(lanes.placed | is_start)
  entries = Entries(score, length, begun, code, counts)
  ended = running & ~now.running
  final = jnp.full(batch, first.shape[0] - 1)
  after = Lanes(
    ways(lanes, trajectory, entries, final, jnp.arange(batch[0])),
    now.score,
    now.length,
    now.since,
    jnp.zeros(batch, bool),
    jnp.where(now.begun >= 0, True, lanes.at_home),
    jnp.where(now.begun >= 0, stays, lanes.stays),
    jnp.where(ended, -1, lanes.attempt),
    lanes.target,
  )
  return after, entries, Outcome(ended, now.success)


def ways(
  lanes: Lanes, trajectory: Trajectory, entries: Entries, time: jax.Array, lane: jax.Array
) -> Way:
  """The ways [N] to N entries, at times int32 [N] in environments int32 [N]; `lanes` are those
  before the unroll."""
  begun, length = entries.begun[time, lane], entries.length[time, lane]
  before = begun < 0
  old = jax.tree.map(lambda x: x[lane], lanes.way)
  at = jnp.maximum(begun, 0)
  here = Standing(*_at((trajectory.state, trajectory.observation), at, lane))
  step = jnp.arange(old.actions.shape[1])
  # The step of the unroll in which the way's step was made, below 0 for one before the unroll.
  made = step - jnp.where(before, lanes.length[lane], -begun)[:, None]
  inside = (made >= 0) & (step < length[:, None])
  done = trajectory.action[jnp.clip(made, 0, trajectory.action.shape[0] - 1), lane[:, None]]
  inside = inside.reshape(*inside.shape, *[1] * (done.ndim - 2))
  actions = jnp.where(inside, done.astype(old.actions.dtype), old.actions)
  return Way(rows_where(before, old.beginning, here), entries.code[time, lane], actions)


def cells(
  lanes: Lanes, trajectory: Trajectory, entries: Entries, time: jax.Array, lane: jax.Array
) -> Cell:
  """What the archive keeps of N entries; see `ways`."""
  standing = Standing(*_at((trajectory.state, trajectory.observation), time, lane))
  return Cell(standing, ways(lanes, trajectory, entries, time, lane))


def _at(tree: Any, time: jax.Array, lane: jax.Array) -> Any:
  return jax.tree.map(lambda x: x[time, lane], tree)
