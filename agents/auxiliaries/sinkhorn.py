"""Sinkhorn's codes: an assignment of rows to prototypes whose sums are given.

In the log domain, so that no score over- or underflows, whatever the temperature. Every sum is over
the whole batch, wherever its parts lie, so that one device and several give the same codes.
Source: SwAV (Caron et al. 2020, arXiv 2006.09882), section 3.1; Cuturi 2013 (arXiv 1306.0895).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

NOTHING = -1e9
"""Logarithm of what is not there: finite, so that differences of it are numbers."""


def codes(
  scores: jax.Array,
  weights: jax.Array,
  epsilon: float,
  iterations: int,
  marginal: jax.Array | None = None,
) -> jax.Array:
  """Soft assignments, float32 [N, K], of which each row sums to 1.

  Formula: exp(scores / epsilon), then in turn scaled so that prototype k gets the share `marginal`
  of all, and row i the share that it counts for.

  Args:
    scores: [N, K], cosines; no gradient goes through them.
    weights: [N], what each row counts for; rows of 0 change no other's code.
    epsilon: temperature; the smaller, the harder the codes.
    iterations: of scaling; with 0 the softmax of each row.
    marginal: [K], adding up to 1; None for all alike.
  """
  scores = jax.lax.stop_gradient(scores)
  count = scores.shape[1]
  share = jnp.full(count, -jnp.log(count)) if marginal is None else jnp.log(marginal)
  total = jnp.maximum(jnp.sum(weights), 1e-30)
  counts = weights[:, None] > 0.0
  of_row = jnp.log(jnp.maximum(weights, 1e-30) / total)[:, None]
  # Rows are not shifted by a maximum each: that changes the codes of few iterations.
  log = scores / epsilon
  for _ in range(iterations):
    log += share - jax.nn.logsumexp(jnp.where(counts, log, NOTHING), axis=0)
    log += of_row - jax.nn.logsumexp(log, axis=1, keepdims=True)
  return jax.nn.softmax(log, axis=1)
