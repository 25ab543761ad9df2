"""Acting greedily by action values, but for a share of random actions."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from agents.heads import policies


def epsilon_greedy(q: jax.Array, epsilon: float | jax.Array) -> jax.Array:
  """Log probabilities [..., A] of the greedy action, but for a share `epsilon` of random ones, of
  those that the values [..., A] allow."""
  greedy = jax.nn.one_hot(jnp.argmax(q, axis=-1), q.shape[-1])
  allowed = policies.possible(q)
  at_random = epsilon / jnp.maximum(jnp.sum(allowed, axis=-1, keepdims=True), 1)
  return policies.masked(jnp.log((1.0 - epsilon) * greedy + at_random), allowed)
