"""The one normaliser of all bonuses: running scale, and pay only for above-average surprise.

Source: BYOL-Explore (Guo et al. 2022, arXiv 2206.08332), section 3.3, reward normalisation and
prioritisation: bias-corrected moving averages of l and l^2, sigma their standard deviation,
r = max(l / sigma - mu / sigma, 0).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class NormaliserState(NamedTuple):
  """Moving averages, before bias correction, and how many updates they hold; float32 scalars."""

  mean: jax.Array
  mean_square: jax.Array
  updates: jax.Array


def init() -> NormaliserState:
  return NormaliserState(jnp.float32(0.0), jnp.float32(0.0), jnp.int32(0))


def update(
  state: NormaliserState, values: jax.Array, mask: jax.Array, decay: float
) -> NormaliserState:
  """Averages in the values [T, B] where `mask` [T, B]; a batch with none changes nothing."""
  count = jnp.sum(mask)

  def mean(x: jax.Array) -> jax.Array:
    return jnp.sum(jnp.where(mask, x, 0.0)) / jnp.maximum(count, 1)

  new = NormaliserState(
    decay * state.mean + (1.0 - decay) * mean(values),
    decay * state.mean_square + (1.0 - decay) * mean(jnp.square(values)),
    state.updates + 1,
  )
  return jax.tree.map(lambda n, s: jnp.where(count > 0, n, s), new, state)


def moments(state: NormaliserState, decay: float) -> tuple[jax.Array, jax.Array]:
  """Returns the mean and the standard deviation, corrected for the averages' start at zero."""
  correction = jnp.maximum(1.0 - decay ** state.updates.astype(jnp.float32), 1e-8)
  mean, mean_square = state.mean / correction, state.mean_square / correction
  return mean, jnp.sqrt(jnp.maximum(mean_square - jnp.square(mean), 0.0) + 1e-8)


def normalise(
  state: NormaliserState, values: jax.Array, mask: jax.Array, decay: float, clip_at_mean: bool
) -> jax.Array:
  """Returns the reward [T, B] for raw values [T, B]: in standard deviations, 0 outside `mask`.

  With `clip_at_mean`, only what exceeds the mean is paid: max((l - mu) / sigma, 0); without,
  l / sigma.
  """
  mean, std = moments(state, decay)
  reward = jnp.maximum((values - mean) / std, 0.0) if clip_at_mean else values / std
  return jnp.where(mask, reward, 0.0)
