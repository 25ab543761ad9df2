"""Counting visits in the order of time, in one table for all environments."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def count(table: jax.Array, place: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Returns n, how often each place had been visited with this visit, and the table after all.

  A batch is counted as if its visits had happened one by one: at t = 0 those of environments 0 to
  B-1, then at t = 1, and so on. A stable sort finds them all at once, so it costs T B log(T B).

  Args:
    table: int32 [P], visits so far.
    place: int32 [T, B], from 0 to P-1.
    mask: bool [T, B], the visits that count; of the others n says nothing.

  Returns:
    int32 [T, B], at least 1, and int32 [P].
  """
  # Visits that do not count share a place of their own, past the table's end.
  flat = jnp.where(mask, place, table.shape[0]).reshape(-1)
  order = jnp.argsort(flat, stable=True)
  gathered = flat[order]
  earlier = jnp.arange(flat.size) - jnp.searchsorted(gathered, gathered, side="left")
  earlier = jnp.zeros_like(flat).at[order].set(earlier.astype(jnp.int32))
  n = table.at[flat].get(mode="clip") + earlier + 1
  return n.reshape(place.shape), table.at[flat].add(1, mode="drop")
