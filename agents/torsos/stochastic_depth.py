"""Stochastic depth: residual branches that are left out at random while learning."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from agents.torsos.pools import PoolConfig
from agents.torsos.torso import Torso, preprocess


@dataclasses.dataclass(frozen=True)
class StochasticDepthConfig(PoolConfig):
  """Residual branches."""

  stochastic_depth: float = 0.0
  """d, chance with which a residual branch is left out for one observation while learning, the same
  for all branches; those that are kept are divided by 1 - d (Huang et al. 2016, arXiv 1603.09382;
  DeiT III, arXiv 2204.07118: .05 to .6)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    if not 0.0 <= self.stochastic_depth < 1.0:
      raise ValueError(
        f"stochastic_depth is {self.stochastic_depth}; it must be at least 0 and below 1."
      )


def dropped(branch: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
  """A residual branch [N, ...], which is 0 for some of the N; itself without a key or a rate."""
  if key is None or not rate:
    return branch
  kept = jax.random.bernoulli(key, 1.0 - rate, (len(branch), *[1] * (branch.ndim - 1)))
  return jnp.where(kept, branch / (1.0 - rate), 0.0)


class StochasticDepthTorso(Torso):
  """A torso whose features have residual branches; its settings are a `StochasticDepthConfig`."""

  def tokens(
    self, observation: jax.Array, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    """See `Torso.tokens`."""
    x = preprocess(self.spec, observation)
    return self.flat(self.features(x, key if training else None))

  def features(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """See `Torso.features`; a key leaves out branches."""
    raise NotImplementedError

  def added(self, x: jax.Array, branch: jax.Array, number: int, key: jax.Array | None) -> jax.Array:
    """x and its residual branch of that number, both [N, ...]."""
    own = None if key is None else jax.random.fold_in(key, number)
    return x + dropped(branch, self.settings.stochastic_depth, own)
