"""Running mean and variance of arrays, each entry for itself, over all that was seen.

Batches are merged as in Chan et al. 1979 (Updating formulae and a pairwise algorithm for computing
sample variances), so that no sum of squares is ever formed.
"""

from __future__ import annotations

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
  values = values.reshape(-1, *moments.mean.shape)
  total = moments.seen + values.shape[0]
  share = values.shape[0] / total
  shift = jnp.mean(values, axis=0) - moments.mean
  variance = (
    (1.0 - share) * moments.variance
    + share * jnp.var(values, axis=0)
    + share * (1.0 - share) * jnp.square(shift)
  )
  return RunningMoments(moments.mean + share * shift, variance, total)


def whiten(moments: RunningMoments, values: jax.Array, limit: float) -> jax.Array:
  """(values - mean) / deviation, clipped to [-limit, limit]; `values` [..., *F]."""
  deviation = jnp.sqrt(moments.variance) + 1e-4
  return jnp.clip((values - moments.mean) / deviation, -limit, limit)
