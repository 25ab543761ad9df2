"""Random actions of every kind."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs import action_specs


def random_action(
  spec: specs.Array, key: jax.Array, batch: tuple[int, ...] = (), legal: jax.Array | None = None
) -> jax.Array:
  """Actions [*batch, *A] of any kind, drawn evenly where an entry has both bounds.

  As in `gymnasium.spaces.Box.sample`, an entry with one bound lies an exponential of mean 1 within
  it, and one without is a standard normal.

  Args:
    spec: of an action.
    key: of the draw.
    batch: leading axes.
    legal: which actions are allowed, bool [*batch, number of logits], see `envs.observation`; None
      for all. Where it allows none, all are drawn from.
  """
  if legal is not None:
    return _legal_action(spec, key, jnp.asarray(legal))
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


def _legal_action(spec: specs.Array, key: jax.Array, legal: jax.Array) -> jax.Array:
  """Actions [*batch, *A], each entry drawn evenly from what is allowed."""
  counts = action_specs.counts(spec).reshape(-1)
  drawn = []
  for i, part in enumerate(jnp.split(legal, np.cumsum(counts)[:-1], axis=-1)):
    allowed = part | ~jnp.any(part, axis=-1, keepdims=True)
    entry_key = jax.random.fold_in(key, i)
    drawn.append(jax.random.categorical(entry_key, jnp.where(allowed, 0.0, -jnp.inf)))
  return jnp.stack(drawn, axis=-1).reshape(*legal.shape[:-1], *spec.shape).astype(spec.dtype)
