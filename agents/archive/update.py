"""Learning: the archive takes in what was come to, the agent inside learns, practice moves back."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import Learned, Metrics
from agents.archive import archive as archives
from agents.archive import cells, ways
from agents.archive.acting import nothing_to_practise
from agents.archive.archive import Archive, Arrivals
from agents.archive.parts import Parts
from agents.archive.state import Counts, Lanes, LearnerState, Practice
from agents.archive.ways import Entries, Outcome
from agents.bonuses.payment import BonusState
from agents.latent import probe as latent_probe
from agents.latent import update as latent_update
from agents.trajectory import Trajectory
from agents.when import when
from envs.environment import LAST


def of_inner(trajectory: Trajectory) -> Trajectory:
  """As the agent inside reads it."""
  return trajectory._replace(memory=trajectory.memory.inner, state=())


def promises(
  parts: Parts, state: LearnerState, trajectory: Trajectory, key: jax.Array
) -> tuple[jax.Array, BonusState]:
  """What the bonus pays for coming to each entry, float32 [T+1, B], and what it keeps after it.

  The arrival at entry 0 is not in the trajectory: it counts what is paid for leaving there.
  """
  if parts.inner.config.bonus.name == "none":
    return jnp.zeros(trajectory.reward.shape), state.inner.bonus
  seen, inner = of_inner(trajectory), state.inner
  read = latent_update.read(inner, seen)
  outputs = latent_probe.outputs(parts.inner, inner, seen).outputs
  paid, bonus, _ = latent_update.intrinsic(parts.inner, inner, read, outputs, key)
  return jnp.concatenate([paid[:1], paid]), bonus


def archived(
  parts: Parts,
  state: LearnerState,
  trajectory: Trajectory,
  entries: Entries,
  promise: jax.Array,
  explores: jax.Array,
) -> Archive:
  """The archive after the arrivals of the environments that explore.

  Args:
    parts: of the agent.
    state: its learner state, with the lanes before the unroll.
    trajectory, entries: of all environments.
    promise: what a bonus pays for the entries, float32 [T+1, B].
    explores: bool [B].
  """
  lanes = state.lanes
  code = cells.codes(parts, state, trajectory, entries, promise)
  beginnings = state.beginnings
  # One cannot go on from the end of an episode.
  valid = (
    explores
    & (trajectory.step_type != LAST)
    & cells.is_in(beginnings.code, beginnings.filled, entries.code)
  )
  arrived = Arrivals(code, entries.score, entries.length, promise, valid, entries.counts)
  arrivals = jax.tree.map(jnp.ravel, arrived)
  width = trajectory.reward.shape[1]

  def keep(numbers: jax.Array) -> Any:
    return ways.cells(lanes, trajectory, entries, numbers // width, numbers % width)

  archive = state.archive
  # Cells of beginnings that were closed are given up.
  kept = cells.is_in(beginnings.code, beginnings.filled, archive.kept.way.code)
  return archives.insert(archive._replace(filled=archive.filled & kept), arrivals, keep)[0]


def demonstrated(
  parts: Parts, state: LearnerState, trajectory: Trajectory, entries: Entries
) -> LearnerState:
  """The state with the best way of each environment's unroll among the demonstrations; the way's
  return must be above 0, and better than that from the same beginning."""
  batch = jnp.arange(trajectory.reward.shape[1])
  time = jnp.argmax(entries.score, axis=0)
  score, length, code = (x[time, batch] for x in (entries.score, entries.length, entries.code))
  valid = (score > 0.0) & (length > 0) & (length <= parts.longest)
  always = jnp.ones_like(valid)
  arrivals = Arrivals(code, score, length, jnp.zeros_like(score), valid, always)

  def keep(numbers: jax.Array) -> Any:
    return ways.ways(state.lanes, trajectory, entries, time[numbers], numbers)

  before = state.demonstrations
  after, change = archives.insert(before, arrivals, keep)
  practice = state.practice
  # As many steps before the end as before, of a way that was bettered.
  left = before.length - practice.point
  point = jnp.where(change.better, jnp.maximum(after.length - left, 0), practice.point)
  point = jnp.where(change.new, after.length - 1, point)
  changed = change.new | change.better
  practice = Practice(
    point,
    jnp.where(changed, 0, practice.attempts),
    jnp.where(changed, 0, practice.successes),
  )
  best = jnp.argmax(jnp.where(valid, score, -jnp.inf))
  counts, now = state.counts, (state.updates + 1).astype(jnp.float32)
  solves = valid[best] & (score[best] >= parts.solved)
  bettered = valid[best] & (
    (score[best] > counts.best_score)
    | ((score[best] == counts.best_score) & (length[best] < counts.best_length))
  )
  counts = Counts(
    counts.returns,
    jnp.where(bettered, score[best], counts.best_score),
    jnp.where(bettered, length[best].astype(jnp.float32), counts.best_length),
    jnp.where(bettered, now, counts.best_update),
    jnp.where(solves & (counts.solved_update == 0), now, counts.solved_update),
  )
  return state._replace(demonstrations=after, practice=practice, counts=counts)


def moved_back(
  parts: Parts, practice: Practice, demonstrations: Archive, lanes: Lanes, outcome: Outcome
) -> Practice:
  """Practice after these attempts: its points move back where enough of them succeeded, else on
  towards the end of the way (as in `ResetManager` of github.com/openai/atari-reset).

  Args:
    parts: of the agent.
    practice: before.
    demonstrations: D, that are practised along.
    lanes: before the unroll, which tell what was attempted.
    outcome: of the attempts.
  """
  settings, size = parts.settings, demonstrations.code.shape[0]
  # Unless another beginning's way has taken the slot since the attempt began.
  same = lanes.way.code == demonstrations.code[lanes.attempt]
  at = jnp.where(outcome.ended & same, lanes.attempt, size)
  attempts = practice.attempts.at[at].add(1, mode="drop")
  successes = practice.successes.at[at].add(outcome.success.astype(jnp.int32), mode="drop")
  judged = attempts >= settings.backward_attempts
  moves = judged & (successes >= settings.backward_success * attempts)
  shift = jnp.maximum(
    jnp.round(settings.backward_share * demonstrations.length).astype(jnp.int32), 1
  )
  point = practice.point + jnp.where(moves, -shift, shift) * judged
  return Practice(
    jnp.clip(point, 0, jnp.maximum(demonstrations.length - 1, 0)),
    jnp.where(judged, 0, attempts),
    jnp.where(judged, 0, successes),
  )


def learn(parts: Parts, state: LearnerState, trajectory: Trajectory, key: jax.Array) -> Learned:
  """See `agents.agent.Agent.learn`."""
  inner_key, bonus_key, stay_key = jax.random.split(key, 3)
  everywhere, before = nothing_to_practise(state), state.lanes
  # What is played from the beginning before practice has come there teaches to do nothing.
  bank = state.demonstrations.filled
  done = jnp.sum(bank & (state.practice.point == 0)) / jnp.maximum(jnp.sum(bank), 1)
  chance = parts.settings.from_beginning * done
  stays = jax.random.uniform(stay_key, before.score.shape) < chance
  lanes, entries, outcome = ways.follow(before, trajectory, stays, state.updates == 0)
  state = demonstrated(parts, state, trajectory, entries)
  state = state._replace(
    practice=moved_back(parts, state.practice, state.demonstrations, before, outcome)
  )
  state = opened(parts, state, trajectory, entries)
  explores = (jnp.arange(parts.batch) < parts.explorers) | everywhere
  promise, bonus = promises(parts, state, trajectory, bonus_key)
  archive = archived(parts, state, trajectory, entries, promise, explores)
  inner, metrics = learned(parts, state, trajectory, inner_key, everywhere)
  if parts.settings.explore_by == "random":
    inner = inner._replace(bonus=bonus)  # which has counted what those that explore came to
  state = state._replace(archive=archive, inner=inner, lanes=lanes, updates=state.updates + 1)
  attempts = {
    "attempts": jnp.sum(outcome.ended).astype(jnp.float32),
    "attempts_won": jnp.sum(outcome.ended & outcome.success).astype(jnp.float32),
  }
  return Learned(state, metrics | attempts)


def learned(
  parts: Parts, state: LearnerState, trajectory: Trajectory, key: jax.Array, everywhere: jax.Array
) -> tuple[Any, Metrics]:
  """The agent inside after it learned, and its metrics; 0 where all acted at random."""
  read = of_inner(trajectory).columns(parts.learns_from)

  def update(both: tuple[Any, Metrics]) -> tuple[Any, Metrics]:
    return latent_update.learn(parts.inner, both[0], read, key)[:2]

  if parts.settings.explore_by == "policy":
    return update((state.inner, {}))
  shapes = jax.eval_shape(update, (state.inner, {}))[1]
  nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
  return when(~everywhere, update, (state.inner, nothing))


def opened(
  parts: Parts, state: LearnerState, trajectory: Trajectory, entries: Entries
) -> LearnerState:
  """The state with the beginnings that were met explored where there is room, and those marked that
  were solved."""
  demonstrations, old = state.demonstrations, state.beginnings
  solved = demonstrations.filled & (demonstrations.score >= parts.solved)
  old = old._replace(solved=cells.is_in(demonstrations.code, solved, old.code) & old.filled)
  # Of each environment the latest one that it met.
  begun = entries.begun[-1]
  code = jnp.take_along_axis(entries.code, jnp.maximum(begun, 0)[None], axis=0)[0]
  taken = cells.is_in(demonstrations.code, solved, code)
  return state._replace(beginnings=cells.open_beginnings(old, code, begun >= 0, taken))


def told(parts: Parts, state: LearnerState) -> Metrics:
  """What a row of the log says of the archive and of practice; see docs/agents.md."""
  archive, bank, counts = state.archive, state.demonstrations, state.counts
  steps = parts.batch * parts.config.unroll_length
  left = jnp.where(bank.filled, state.practice.point / jnp.maximum(bank.length, 1), 0.0)
  numbers = {
    "archive_cells": jnp.sum(archive.filled),
    "archive_full": jnp.all(archive.filled),
    "archive_replaced": archive.replaced,
    "archive_longest": jnp.max(jnp.where(archive.filled, archive.length, 0)),
    "beginnings_open": jnp.sum(state.beginnings.filled & ~state.beginnings.solved),
    "returns": counts.returns,
    "best_score": counts.best_score,
    "best_length": counts.best_length,
    "best_step": counts.best_update * steps,
    "solved_step": counts.solved_update * steps,
    "demonstrations": jnp.sum(bank.filled),
    "practice_left": jnp.sum(left) / jnp.maximum(jnp.sum(bank.filled), 1),
  }
  return {name: jnp.asarray(x, jnp.float32) for name, x in numbers.items()}
