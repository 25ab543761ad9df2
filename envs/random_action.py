"""Random actions of every kind."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs import action_specs


def random_action(spec: specs.Array, key: jax.Array, batch: tuple[int, ...] = ()) -> jax.Array:
  """Actions [*batch, *A] of any kind, drawn evenly where an entry has both bounds.

  As in `gymnasium.spaces.Box.sample`, an entry with one bound lies an exponential of mean 1 within
  it, and one without is a standard normal.
  """
  shape = (*batch, *spec.shape)
  low, high = action_specs.bounds(spec)
  if action_specs.kind(spec) != "continuous":
    return jax.random.randint(key, shape, 0, high + 1, spec.dtype)
  above, below = np.isfinite(low), np.isfinite(high)
  both = above & below
  if both.all():
    uniform_key = key
  else:
    uniform_key, exponential_key, normal_key = jax.random.split(key, 3)
  drawn = jax.random.uniform(
    uniform_key, shape, spec.dtype, np.where(both, low, 0.0), np.where(both, high, 1.0)
  )
  if not both.all():
    within = jax.random.exponential(exponential_key, shape, spec.dtype)
    free = jax.random.normal(normal_key, shape, spec.dtype)
    drawn = jnp.select([both, above, below], [drawn, low + within, high - within], free)
  # The scaling may round past a bound.
  return jnp.clip(drawn, low, high)
