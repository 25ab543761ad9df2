"""The exact policy of a search that is seen as regularised policy optimisation.

  pi_bar = argmax over y of q . y - lambda KL(pi || y) = lambda pi / (alpha - q)
with alpha so that it sums to 1. Visit counts of PUCT come near it as simulations grow:
  lambda = c sqrt(N) / (A + N),    c = 1.25 + log((N + 19653) / 19652)
where N counts the visits of a node's actions, A of them.
Source: Grill et al. 2020 (arXiv 2007.12509), section 3.2 and equation 7; the numbers of c are those
of MuZero (arXiv 1911.08265), appendix B.

With u = (q - max q) / lambda and alpha = max q + lambda beta it is pi / (beta - u), in which beta
lies in [max(u + pi), 1]. As u <= 0 < beta nothing cancels there, however small a prior is. The sum
falls in beta and is convex, so that Newton's steps from the left end never go past the root.
Bisection in alpha does not do in float32: the root may lie nearer to max q than max q is exact.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

STEPS = 12
"""Newton's steps: 2e-7 from the sum 1, with priors down to 1e-8 (ours, measured)."""
C_INIT, C_BASE = 1.25, 19652.0
"""Constants of PUCT (MuZero, appendix B)."""


def weight(visits: jax.Array, count: jax.Array | int) -> jax.Array:
  """lambda, float32 [...], of nodes whose `count` actions were visited so often, `visits` [...].

  A node without visits has the lambda of one visit.
  """
  n = jnp.maximum(jnp.asarray(visits, jnp.float32), 1.0)
  c = C_INIT + jnp.log((n + C_BASE + 1.0) / C_BASE)
  return c * jnp.sqrt(n) / (count + n)


def policy(q: jax.Array, prior: jax.Array, weight: jax.Array) -> jax.Array:
  """pi_bar, float32 [..., A], which sums to 1.

  Args:
    q: action values [..., A], finite; those of actions whose prior is 0 count for nothing.
    prior: pi [..., A], which sums to 1; 0 for what is not allowed, which stays so.
    weight: lambda [...], above 0.
  """
  possible = prior > 0.0
  best = jnp.max(jnp.where(possible, q, -jnp.inf), axis=-1, keepdims=True)
  u = jnp.where(possible, (q - best) / weight[..., None], 0.0)
  beta = jnp.max(jnp.where(possible, u + prior, 0.0), axis=-1, keepdims=True)

  def newton(_: jax.Array, beta: jax.Array) -> jax.Array:
    p = prior / (beta - u)
    slope = jnp.sum(p / (beta - u), axis=-1, keepdims=True)
    return beta + jnp.maximum(jnp.sum(p, axis=-1, keepdims=True) - 1.0, 0.0) / slope

  beta = jax.lax.fori_loop(0, STEPS, newton, beta)
  p = prior / (beta - u)
  return p / jnp.sum(p, axis=-1, keepdims=True)
