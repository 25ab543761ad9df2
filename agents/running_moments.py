"""Running mean and variance of arrays, each entry for itself, over all that was seen.

Batches are merged as in Chan et al. 1979 (Updating formulae and a pairwise algorithm for computing
sample variances), so that no sum of squares is ever formed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp


class RunningMoments(NamedTuple):
  """Moments of all arrays [*F] so far.

  Attributes:
    mean, variance: float32 [*F].
    seen: float32, how many arrays. Past 2^24 batches stop moving it, which then average for ever
      with the weight that they had there.
  """

  mean: jax.Array
  variance: jax.Array
  seen: jax.Array


def init(shape: tuple[int, ...]) -> RunningMoments:
  return RunningMoments(jnp.zeros(shape), jnp.zeros(shape), jnp.float32(0.0))


def update(moments: RunningMoments, values: jax.Array) -> RunningMoments:
  """The moments with `values` [..., *F] in, all leading axes alike."""
  lead = values.shape[: values.ndim - moments.mean.ndim]
  values = values.reshape(math.prod(lead), *moments.mean.shape)
  total = moments.seen + values.shape[0]
  share = values.shape[0] / total
  # Before the first batch the mean may be anything: one of its values. Sums are then of differences
  # alone, so that a large offset costs no precision, and what never changes has no variance at all.
  mean = jnp.where(moments.seen > 0, moments.mean, values[0])
  shift = jnp.mean(values - mean, axis=0)
  variance = (
    (1.0 - share) * moments.variance
    + share * jnp.mean(jnp.square(values - mean - shift), axis=0)
    + share * (1.0 - share) * jnp.square(shift)
  )
  return RunningMoments(mean + share * shift, variance, total)


def whiten(
  moments: RunningMoments, values: jax.Array, limit: float, epsilon: float = 1e-4
) -> jax.Array:
  """(values - mean) / (deviation + epsilon), clipped to [-limit, limit]; `values` [..., *F]."""
  deviation = jnp.sqrt(moments.variance) + epsilon
  return jnp.clip((values - moments.mean) / deviation, -limit, limit)
