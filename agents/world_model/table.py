"""The table L(p, q) of prediction errors, and its readings.

L(p, q) is the error, at step p + q, of the forecast made from the belief at step p. The BYOL loss
averages it by the step a forecast starts from, the BYOL-Explore uncertainty by that it lands on.
Source: BYOL-Explore (Guo et al. 2022, arXiv 2206.08332), section 3.

Shapes: T transitions, so T + 1 observations; K the horizon; index [p, q - 1, b] holds L(p, q).
"""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp


def normalise(x: jax.Array) -> jax.Array:
  """L2-normalises the last axis; zero stays zero, with a finite gradient."""
  return x * jax.lax.rsqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True) + 1e-12)


def target_step(length: int, horizon: int) -> tuple[jax.Array, jax.Array]:
  """Returns p + q clipped to the last step, int32 [T, K], and whether it needed no clipping."""
  step = jnp.arange(length)[:, None] + jnp.arange(1, horizon + 1)[None, :]
  return jnp.minimum(step, length), step <= length


def prediction_errors(predictions: jax.Array, targets: jax.Array) -> jax.Array:
  """Returns L(p, q) = ||n(prediction) - n(target)||^2 = 2 - 2 cos, float32 [T, K, B].

  Args:
    predictions: [T, K, B, N], the forecast from step p of the latent at p + q.
    targets: [T+1, B, N] latents of the target encoder. Whether gradients stop there is the
      caller's to say. Entries that reach past the last step are meaningless; see `valid_pairs`.
  """
  chex.assert_rank([predictions, targets], [4, 3])
  length, horizon = predictions.shape[:2]
  step, _ = target_step(length, horizon)
  cosine = jnp.sum(normalise(predictions) * normalise(targets)[step], axis=-1)
  return 2.0 - 2.0 * cosine


def valid_pairs(first: jax.Array, horizon: int) -> jax.Array:
  """Which pairs are real: they end inside the chunk and cross no start of an episode.

  Args:
    first: bool [T+1, B], an episode begins at this step.
    horizon: K.

  Returns:
    bool [T, K, B]: p + q <= T, and none of the steps p + 1 .. p + q is a FIRST.
  """
  episode = jnp.cumsum(first.astype(jnp.int32), axis=0)
  step, inside = target_step(first.shape[0] - 1, horizon)
  return inside[:, :, None] & (episode[step] == episode[:-1, None])


def loss(errors: jax.Array, valid: jax.Array) -> jax.Array:
  """The BYOL loss: the mean of L over valid q, then over all starts (p, b) that have any.

  Args:
    errors: [T, K, B].
    valid: bool [T, K, B].

  Returns:
    A scalar, 0 if nothing is valid.
  """
  chex.assert_equal_shape([errors, valid])
  count = jnp.sum(valid, axis=1)
  per_start = jnp.sum(jnp.where(valid, errors, 0.0), axis=1) / jnp.maximum(count, 1)
  return jnp.sum(per_start) / jnp.maximum(jnp.sum(count > 0), 1)


def uncertainty(errors: jax.Array, valid: jax.Array) -> jax.Array:
  """How surprising each transition was: the mean of L over all forecasts of where it led.

  l_t = mean over p + q = t + 1 of L(p, q). The paper sums; with a sum the transitions at the start
  of a chunk or of an episode, which fewer forecasts reach, are paid up to K times less. With the
  mean a smaller bias stays: only short forecasts reach them, whose errors are smaller (measured:
  the first is paid a third less). Away from the edges the two differ by the factor K, which the
  bonus's normalisation divides out.

  Args:
    errors: [T, K, B].
    valid: bool [T, K, B].

  Returns:
    [T, B]; 0 for a transition that no valid forecast reaches (LAST -> FIRST).
  """
  chex.assert_equal_shape([errors, valid])
  length, horizon = errors.shape[:2]
  q = jnp.arange(horizon)[None, :]
  start = jnp.arange(length)[:, None] - q  # p = t + 1 - (q index + 1)
  landing = valid[jnp.maximum(start, 0), q] & (start >= 0)[:, :, None]
  total = jnp.sum(jnp.where(landing, errors[jnp.maximum(start, 0), q], 0.0), axis=1)
  return total / jnp.maximum(jnp.sum(landing, axis=1), 1)
