"""Rejection sampling from a box, with a fixed number of draws, so that it vmaps."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

DRAWS = 64
"""A third of the box is missed by all of them once in 2e11 times."""


def sample(
  key: jax.Array,
  low: np.ndarray,
  high: np.ndarray,
  accept: Callable[[jax.Array], jax.Array],
) -> jax.Array:
  """Draws uniformly from where `accept` holds in a box.

  Args:
    key: of the draw.
    low, high: corners of the box, float32 [...].
    accept: from a point, float32 [...], to bool; it must hold in a good part of the box.

  Returns:
    The first point accepted of `DRAWS`, float32 [...].
  """
  points = jax.random.uniform(key, (DRAWS, *low.shape), jnp.float32, low, high)
  return points[jnp.argmax(jax.vmap(accept)(points))]
