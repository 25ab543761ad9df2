"""Prototypes: directions that latents are assigned to, and how evenly they are used."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.auxiliaries import heads
from agents.auxiliaries.auxiliary import Context, check_above_0, check_at_least
from agents.world_model.table import normalise

MOST = 64
"""Prototypes where none are asked for and the batch is large enough (ours)."""
ROWS = 8
"""Entries of a batch that there must be for each prototype: the KL of N entries' mean from an even
one is too large by (K - 1) / 2 N, 1/16 at most."""


@dataclasses.dataclass(frozen=True)
class PrototypesConfig(heads.ProjectorConfig):
  """Prototypes."""

  prototypes: int = 0
  """K (MSN: 1024; SwAV: 3000); 0 for an eighth of the entries of a batch, at most 64 (ours)."""
  temperature: float = 0.1
  """tau, of the cosines (MSN's and SwAV's code: .1)."""
  sinkhorn_iterations: int = 3
  """Iterations by which codes are made even (MSN's and SwAV's code: 3); 0 for none."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_above_0(self, "temperature")
    check_at_least(self, 0, "prototypes", "sinkhorn_iterations")

  def count(self, method: str, context: Context, entries: int | None = None) -> int:
    """K, for a loss that reads so many entries of a batch, at most; None for all.

    Raises:
      ValueError: one line, if a batch has too few entries for so many, or for 2.
    """
    read = context.rows if entries is None else min(entries, context.rows)
    most = read // ROWS
    count = self.prototypes or min(MOST, most)
    if not 2 <= count <= most:
      asked = f"prototypes is {count}" if self.prototypes else "2 prototypes are needed"
      fewer = "" if read == context.rows else f", of which {read} are read,"
      more = "--batch-size" if read == context.rows else f"--auxiliary.{method}.max-entries"
      raise ValueError(
        f"auxiliary {method!r}: {asked}; a batch of {context.batch_size} unrolls of"
        f" {context.unroll_length} steps{fewer} has an eighth of its entries for them, {most}:"
        f" give fewer, or a larger {more}."
      )
    return count


def init(key: jax.Array, count: int, size: int) -> jax.Array:
  """Prototypes [K, D] before anything was learned, even within D^-1/2 (MSN's code)."""
  return jax.random.uniform(key, (count, size), minval=-(size**-0.5), maxval=size**-0.5)


def cosines(z: jax.Array, prototypes: jax.Array) -> jax.Array:
  """[..., K] of rows [..., D] and prototypes [K, D]."""
  return normalise(z) @ normalise(prototypes).T


def mean_use(assigned: jax.Array, weights: jax.Array) -> jax.Array:
  """p-, [K], the mean of assignments [..., K] of entries that count so much [...]; even where
  nothing counts."""
  total = jnp.sum(weights)
  axes = tuple(range(assigned.ndim - 1))
  counted = jnp.where(weights[..., None] > 0.0, weights[..., None] * assigned, 0.0)
  mean = jnp.sum(counted, axes) / jnp.where(total > 0.0, total, 1.0)
  return jnp.where(total > 0.0, mean, 1.0 / assigned.shape[-1])


def divergence(mean: jax.Array, prior: jax.Array) -> jax.Array:
  """KL(p- || pi), a scalar, of [K] each."""
  return jnp.sum(jax.scipy.special.xlogy(mean, mean) - mean * jnp.log(prior))


def power_law(count: int, exponent: float) -> jax.Array:
  """pi, [K], pi_k = k^-exponent over their sum; even with an exponent of 0."""
  law = jnp.arange(1, count + 1, dtype=jnp.float32) ** -exponent
  return law / jnp.sum(law)


def cross_entropy(target: jax.Array, logits: jax.Array) -> jax.Array:
  """-sum_k t_k log softmax(logits)_k, [...] of [..., K]; no gradient goes to the target."""
  return -jnp.sum(jax.lax.stop_gradient(target) * jax.nn.log_softmax(logits), axis=-1)


def use(method: str, mean: jax.Array, codes: jax.Array, weights: jax.Array) -> Metrics:
  """The entropy of p- [K], and how many prototypes are the likeliest of an entry of codes [..., K]
  that counts."""
  best = jax.nn.one_hot(jnp.argmax(codes, axis=-1), codes.shape[-1])
  used = jnp.any((best > 0.0) & (weights[..., None] > 0.0), axis=tuple(range(codes.ndim - 1)))
  entropy = -jnp.sum(jax.scipy.special.xlogy(mean, mean))
  return {
    f"{method}_entropy": entropy,
    f"{method}_prototypes_used": jnp.sum(used).astype(jnp.float32),
  }
