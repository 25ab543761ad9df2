"""Which classes a sequence is made of: drawn by rank, several without two of one group."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np


class Ranks:
  """Classes 0 to K - 1, the commonest first: class k has weight 1 / (k + 1)^exponent.

  Class k belongs to group k mod G. A draw of several classes of different groups is one of groups
  without replacement, by their weights (the largest of their logarithms plus Gumbel noise), then of
  a class of each.

  Attributes:
    weights: float64 [K], which sum to 1.
    groups: G.
  """

  def __init__(self, classes: int, exponent: float, groups: int):
    weights = np.arange(1, classes + 1, dtype=np.float64) ** -exponent
    self.weights = weights / weights.sum()
    self.groups = groups
    rows = -(-classes // groups)
    by_group = np.pad(self.weights, (0, rows * groups - classes)).reshape(rows, groups).T
    mass = by_group.sum(axis=1)
    self._log_mass = np.log(mass).astype(np.float32)
    self._within = _cumulated(by_group / mass[:, None])
    self._all = _cumulated(self.weights)

  def any(self, key: jax.Array, count: int) -> jax.Array:
    """Independent draws, int32 [count]."""
    uniform = jax.random.uniform(key, (count,))
    return jnp.searchsorted(jnp.asarray(self._all), uniform, side="right").astype(jnp.int32)

  def different(self, key: jax.Array, count: int) -> jax.Array:
    """Classes of different groups, int32 [count], each as likely as if drawn one after another."""
    group_key, key = jax.random.split(key)
    noisy = self._log_mass + jax.random.gumbel(group_key, (self.groups,))
    return self._of(key, jax.lax.top_k(noisy, count)[1])

  def without(self, key: jax.Array, group: jax.Array, count: int) -> jax.Array:
    """Independent draws of classes that are not of a group, int32 [count]."""
    group_key, key = jax.random.split(key)
    logits = jnp.where(jnp.arange(self.groups) == group, -jnp.inf, self._log_mass)
    return self._of(key, jax.random.categorical(group_key, logits, shape=(count,)))

  def _of(self, key: jax.Array, groups: jax.Array) -> jax.Array:
    """A class of each of the groups [N]."""
    uniform = jax.random.uniform(key, groups.shape)
    place = jnp.sum(uniform[:, None] >= jnp.asarray(self._within)[groups], axis=1)
    return (place * self.groups + groups).astype(jnp.int32)


def _cumulated(shares: np.ndarray) -> np.ndarray:
  """Sums of shares [..., N] up to each, float32, 1 from the last that is above 0 on."""
  sums = np.cumsum(shares, axis=-1)
  sums[sums >= sums[..., -1:]] = 1.0
  return sums.astype(np.float32)
