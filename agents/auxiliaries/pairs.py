"""Pairs of a batch: positives within an episode, and the negatives that they stand against.

A positive of gap g is (t, b) and (t + g, b) of one episode. Entries that lie close in time within
an episode look alike, so they are no negatives of one another; those of two episodes in one column
are. What does not count is masked and never dropped, so that shapes stay.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents.auxiliaries.auxiliary import (
  AuxiliaryConfig,
  Context,
  Inputs,
  check_above_0,
  check_at_least,
)

NEVER = -1e9
"""Logit of what is no negative: finite, so that an entry without negatives has gradient 0."""


@dataclasses.dataclass(frozen=True)
class PairsConfig(AuxiliaryConfig):
  """Pairs of steps."""

  gap: int = 4
  """g, steps from an entry to its positive (ours; CPC, arXiv 1807.03748: 1 to 12)."""
  neighbours: int = 4
  """k, steps within which entries of an episode are no negatives of one another; at least the gap
  (ours)."""
  max_pairs: int = 1024
  """Entries of a batch that are compared with one another, drawn at random where there are more, as
  the comparisons grow with the square (ours)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_at_least(self, 0, "gap")
    check_at_least(self, 2, "max_pairs")
    if self.neighbours < self.gap:
      raise ValueError(f"neighbours is {self.neighbours}; it must be at least gap, {self.gap}.")

  def check(self, method: str, context: Context) -> None:
    """Raises ValueError, one line, if positives lie further apart than an unroll is long."""
    context.check_window(method, "gap", self.gap)


@dataclasses.dataclass(frozen=True)
class ContrastConfig(PairsConfig):
  """Pairs that are told apart by a softmax of cosines."""

  temperature: float = 0.1
  """tau, of the cosines (SimCLR, arXiv 2002.05709: .1; CMC's code: .07)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_above_0(self, "temperature")


class Rows(NamedTuple):
  """Entries of a batch [T+1, B] in a row, R of them.

  Attributes:
    entry: int32 [R], its number, t * B + b.
    time, column, episode: int32 [R], t, b, and which episode of the column.
    weights: float32 [R], what each counts for; 0 where its positive does not lie in its episode.
  """

  entry: jax.Array
  time: jax.Array
  column: jax.Array
  episode: jax.Array
  weights: jax.Array

  def of(self, x: Any) -> Any:
    """The rows [R, ...] of x, arrays [T+1, B, ...]."""
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[self.entry], x)

  def later(self, x: Any, gap: int | jax.Array) -> Any:
    """The rows [R, ...] of x `gap` steps later, arrays [T+1, B, ...]; see `later`."""

    def rows(x: jax.Array) -> jax.Array:
      time = jnp.minimum(self.time + gap, x.shape[0] - 1)
      return x.reshape(-1, *x.shape[2:])[time * x.shape[1] + self.column]

    return jax.tree.map(rows, x)


def episodes(first: jax.Array) -> jax.Array:
  """Which episode of its column each entry is of, int32 [T+1, B], of `first` [T+1, B]."""
  return jnp.cumsum(first.astype(jnp.int32), axis=0)


def later(x: Any, gap: int | jax.Array) -> Any:
  """x at t + gap, arrays [T+1, B, ...]; beyond the last entry that one, which means nothing."""

  def moved(x: jax.Array) -> jax.Array:
    return x[jnp.minimum(jnp.arange(x.shape[0]) + gap, x.shape[0] - 1)]

  return jax.tree.map(moved, x)


def positives(first: jax.Array, weights: jax.Array, gap: int | jax.Array) -> jax.Array:
  """What each entry counts for that has a positive of this gap, float32 [T+1, B].

  Args:
    first: bool [T+1, B], an episode begins here.
    weights: float32 [T+1, B], 0 where an entry is no part of the loss.
    gap: int32, at least 0.
  """
  episode = episodes(first)
  inside = jnp.arange(first.shape[0]) + gap < first.shape[0]
  same = inside[:, None] & (later(episode, gap) == episode) & (later(weights, gap) > 0.0)
  return weights * same


def rows(first: jax.Array, weights: jax.Array, most: int, key: jax.Array) -> Rows:
  """At most so many entries of a batch: all, or those that count before those that do not, at
  random.

  Args:
    first: bool [T+1, B], an episode begins here.
    weights: float32 [T+1, B], see `positives`.
    most: R.
    key: random, for which; not read where all are taken.
  """
  flat = weights.reshape(-1)
  batch = weights.shape[1]
  index = jnp.arange(len(flat))
  if most < len(flat):
    _, index = jax.lax.top_k((flat > 0.0) + jax.random.uniform(key, flat.shape), most)
  episode = episodes(first).reshape(-1)
  return Rows(index, index // batch, index % batch, episode[index], flat[index])


def allowed(rows: Rows, neighbours: int) -> jax.Array:
  """A, bool [R, R]: whether row j may be a negative of row i, of another episode or further than
  `neighbours` steps away; rows that count for nothing are none."""

  def same(x: jax.Array) -> jax.Array:
    return x[:, None] == x[None, :]

  near = jnp.abs(rows.time[:, None] - rows.time[None, :]) <= neighbours
  alike = same(rows.column) & same(rows.episode) & near
  return ~alike & (rows.weights > 0.0)[None, :]


def average(values: jax.Array, weights: jax.Array) -> jax.Array:
  """sum(w x) / sum(w), a scalar; 0 where nothing counts."""
  total = jnp.sum(weights)
  counted = jnp.where(weights > 0.0, values, 0.0)
  return jnp.sum(weights * counted) / jnp.where(total > 0.0, total, 1.0)


def info_nce(logits: jax.Array, weights: jax.Array, negatives: jax.Array) -> jax.Array:
  """InfoNCE of logits whose positives lie on the diagonal, a scalar.

  Formula: the mean over rows i of -log(exp s_ii / (exp s_ii + sum over j in A(i) of exp s_ij)).
  Source: CPC (van den Oord et al. 2018, arXiv 1807.03748), equation 4.

  Args:
    logits: [R, R].
    weights: [R], what each row counts for.
    negatives: bool [R, R], A.
  """
  return average(nce_errors(logits, negatives), weights)


def nce_errors(logits: jax.Array, negatives: jax.Array) -> jax.Array:
  """InfoNCE of each row, float32 [R]; see `info_nce`."""
  positive = jnp.eye(len(logits), dtype=bool)
  total = jax.nn.logsumexp(jnp.where(negatives | positive, logits, NEVER), axis=-1)
  return total - jnp.diagonal(logits)


def both_ways(logits: jax.Array, weights: jax.Array, negatives: jax.Array) -> jax.Array:
  """The sum of InfoNCE from rows to columns and from columns to rows; A must be symmetric but for
  what counts for nothing."""
  return info_nce(logits, weights, negatives) + info_nce(logits.T, weights, negatives)


def information(loss: jax.Array, weights: jax.Array, negatives: jax.Array) -> jax.Array:
  """I_NCE, what a contrast `loss` of one direction tells of mutual information in nats, a scalar:
  the mean of log(1 + negatives) less the loss, a lower bound (arXiv 1807.03748, section 2.3)."""
  return average(jnp.log1p(jnp.sum(negatives, axis=-1)), weights) - loss


def positive_rows(settings: PairsConfig, inputs: Inputs, key: jax.Array) -> tuple[Rows, jax.Array]:
  """The rows whose positives count, and A, of a method's settings."""
  first = inputs.trajectory.first
  weights = positives(first, inputs.weights, settings.gap)
  chosen = rows(first, weights, settings.max_pairs, key)
  return chosen, allowed(chosen, settings.neighbours)
