"""What the agent that goes back learns, acts by, and carries while acting."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from agents.agent import Standing
from agents.archive.archive import Archive


class Way(NamedTuple):
  """How a state was come to, arrays [..., *].

  Attributes:
    beginning: where the episode began.
    code: uint32, the hash of that.
    actions: what was done from there on, [..., L, *A]; those beyond the way's length mean nothing.
  """

  beginning: Standing
  code: jax.Array
  actions: jax.Array


class Cell(NamedTuple):
  """What the archive keeps of an arrival: where it stands, and the way there."""

  standing: Standing
  way: Way


class Lanes(NamedTuple):
  """What is known of the episodes under way in E environments, arrays [E, ...].

  Attributes:
    way: from the beginning to here; where it was gone back to, with what came before.
    score: float32, the return on the way.
    length: int32, its steps.
    since: int32, steps since it was gone back to, or since the episode began.
    placed: bool, whether it was gone back to since the last unroll.
    at_home: bool, whether the episode began where the environment begins.
    stays: bool, whether such an episode is left to play on, where it practises.
    attempt: int32, the demonstration that is practised along, -1 for none.
    target: float32, the score that the attempt must reach.
  """

  way: Way
  score: jax.Array
  length: jax.Array
  since: jax.Array
  placed: jax.Array
  at_home: jax.Array
  stays: jax.Array
  attempt: jax.Array
  target: jax.Array


class Beginnings(NamedTuple):
  """The beginnings that are explored, arrays [K]: their hashes uint32, which places of the table
  hold one, and which of these were solved."""

  code: jax.Array
  filled: jax.Array
  solved: jax.Array


class Practice(NamedTuple):
  """Where practice along each of D demonstrations stands, arrays [D].

  Attributes:
    point: int32, the latest step of the way that an attempt begins at.
    attempts, successes: int32, since that was moved.
  """

  point: jax.Array
  attempts: jax.Array
  successes: jax.Array


class Counts(NamedTuple):
  """Counts of a run: float32, as they may exceed 32 bits.

  Attributes:
    returns: states gone back to.
    best_score, best_length, best_update: the highest score of any way, its steps, and the update
      in which it was found.
    solved_update: the first update in which a way was found that solves its beginning; 0 before.
  """

  returns: jax.Array
  best_score: jax.Array
  best_length: jax.Array
  best_update: jax.Array
  solved_update: jax.Array


class LearnerState(NamedTuple):
  """All that is learned and shared.

  Attributes:
    inner: the agent inside's.
    projection: of latents onto a hash, float32 [N, bits]; () without.
    archive: the cells.
    beginnings: that are explored.
    demonstrations: the best way from each of D beginnings, an archive of `Way`.
    practice: along these.
    lanes: the episodes under way.
    counts: of the run.
    updates: int32.
  """

  inner: Any
  projection: Any
  archive: Archive
  beginnings: Beginnings
  demonstrations: Archive
  practice: Practice
  lanes: Lanes
  counts: Counts
  updates: jax.Array


class Variables(NamedTuple):
  """What acting needs.

  Attributes:
    inner: the agent inside's.
    explores: bool, whether any environment explores at random.
    everywhere: bool, whether all do, as there is nothing yet to practise.
  """

  inner: Any
  explores: jax.Array
  everywhere: jax.Array


class Memory(NamedTuple):
  """What an environment carries while acting: the agent inside's memory, and whether it explores,
  bool [B]."""

  inner: Any
  explores: jax.Array
