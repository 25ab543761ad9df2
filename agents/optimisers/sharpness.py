"""Sharpness: the largest eigenvalue of the loss's Hessian, by Lanczos' method.

Gradient descent at a constant rate is stable as long as sharpness times rate is below 2, and
training brings it there (Cohen et al. 2021, arXiv 2103.00065). Of a random start a few products
with the Hessian tell both ends of its spectrum; power iteration would tell the end that is farther
from 0. In floating point the basis must be made orthogonal anew at every step (Paige 1972).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree


def lanczos(hvp: Callable[[Any], Any], start: Any, steps: int) -> jax.Array:
  """Ritz values of a symmetric operator, float32 [steps], in rising order.

  The first and the last approach the ends of its spectrum from within; after as many steps as it
  has different eigenvalues they are exact.

  Args:
    hvp: direction -> product with it, in the structure of `start`.
    start: where it begins; what is orthogonal to it in every eigenvector is not seen.
    steps: products.
  """
  flat, unravel = ravel_pytree(start)

  def body(carry: tuple[jax.Array, jax.Array], i: jax.Array) -> tuple[Any, Any]:
    basis, q = carry
    basis = basis.at[i].set(q)
    w = ravel_pytree(hvp(unravel(q)))[0]
    alpha = jnp.vdot(q, w)
    for _ in range(2):  # once leaves what rounding made
      w -= basis.T @ (basis @ w)
    beta = jnp.linalg.norm(w)
    # Nothing is left where the start's eigenvectors are used up.
    left = beta > 1e-5 * jnp.abs(alpha)
    q = jnp.where(left, w / jnp.where(left, beta, 1.0), 0.0)
    return (basis, q), (alpha, jnp.where(left, beta, 0.0), jnp.any(basis[i] != 0.0))

  carry = jnp.zeros((steps, flat.size)), flat / jnp.linalg.norm(flat)
  _, (alpha, beta, used) = jax.lax.scan(body, carry, jnp.arange(steps))
  alpha = jnp.where(used, alpha, alpha[0])  # which lies between the ends
  tridiagonal = jnp.diag(alpha) + jnp.diag(beta[:-1], 1) + jnp.diag(beta[:-1], -1)
  return jnp.linalg.eigvalsh(tridiagonal)


def random_like(key: jax.Array, tree: Any) -> Any:
  """Standard normal numbers in the structure of a tree."""
  flat, unravel = ravel_pytree(tree)
  return unravel(jax.random.normal(key, flat.shape, flat.dtype))
