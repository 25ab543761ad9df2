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

  def any(self, uniform: jax.Array) -> jax.Array:
    """Independent draws, int32 [N], of uniform numbers [N]."""
    return jnp.searchsorted(jnp.asarray(self._all), uniform, side="right").astype(jnp.int32)

  def different(self, of_groups: jax.Array, uniform: jax.Array) -> jax.Array:
    """Classes of different groups, int32 [N], each as likely as if drawn one after another, of
    uniform numbers [G] and [N]."""
    noisy = jnp.asarray(self._log_mass) - jnp.log(-jnp.log(of_groups))
    return self._of(uniform, jax.lax.top_k(noisy, len(uniform))[1])

  def without(self, group: jax.Array, of_groups: jax.Array, uniform: jax.Array) -> jax.Array:
    """Independent draws of classes that are not of a group, int32 [N], of numbers [N] and [N]."""
    others = jnp.where(jnp.arange(self.groups) == group, 0.0, jnp.exp(jnp.asarray(self._log_mass)))
    sums = jnp.cumsum(others)
    return self._of(uniform, jnp.sum(of_groups[:, None] * sums[-1] >= sums, axis=1))

  def _of(self, uniform: jax.Array, groups: jax.Array) -> jax.Array:
    """A class of each of the groups [N]."""
    place = jnp.sum(uniform[:, None] >= jnp.asarray(self._within)[groups], axis=1)
    return (place * self.groups + groups).astype(jnp.int32)


class Uniforms:
  """Uniform numbers in (0, 1), drawn at once and handed out: each draw by itself takes long to
  compile."""

  def __init__(self, key: jax.Array, count: int):
    smallest = float(np.finfo(np.float32).tiny)
    self._numbers = jax.random.uniform(key, (count,), minval=smallest)
    self._used = 0

  def __call__(self, count: int) -> jax.Array:
    """The next ones, float32 [count]."""
    self._used += count
    assert self._used <= len(self._numbers)
    return self._numbers[self._used - count : self._used]

  def integers(self, count: int, below: int) -> jax.Array:
    """int32 [count], each from 0 to `below` - 1."""
    return jnp.minimum((self(count) * below).astype(jnp.int32), below - 1)

  def order(self, count: int) -> jax.Array:
    """A permutation of 0 to `count` - 1."""
    return jnp.argsort(self(count))


def _cumulated(shares: np.ndarray) -> np.ndarray:
  """Sums of shares [..., N] up to each, float32, 1 from the last that is above 0 on."""
  sums = np.cumsum(shares, axis=-1)
  sums[sums >= sums[..., -1:]] = 1.0
  return sums.astype(np.float32)
