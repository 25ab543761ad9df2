"""resnet: BYOL-Explore's residual network for pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp

from agents.torsos.convolution import Conv2D
from agents.torsos.torso import Torso, preprocess, registry


@dataclasses.dataclass(frozen=True)
class ResNetConfig:
  """A residual network."""

  stochastic_depth: float = 0.0
  """d, chance with which a residual branch is left out for one observation while learning, the same
  for all branches; those that are kept are divided by 1 - d (Huang et al. 2016, arXiv 1603.09382;
  DeiT III, arXiv 2204.07118: .05 to .6)."""

  def __post_init__(self) -> None:
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


@registry.register("resnet", ResNetConfig)
class ResNet(Torso):
  """The five-section residual network of BYOL-Explore: 16, 32, 32, 32, 32 channels, GroupNorm(1).

  A section is IMPALA's (Espeholt et al. 2018): convolution, normalisation, 3x3/2 max pooling, two
  residual blocks (arXiv 2206.08332, appendix).
  """

  SECTIONS = (16, 32, 32, 32, 32)
  BLOCKS = 2

  # Static, as Haiku names the modules that a method of a module makes anew at each of its calls.
  @staticmethod
  def conv(channels: int) -> Callable[[jax.Array], jax.Array]:
    return Conv2D(channels, 3, padding=1)

  def tokens(
    self, observation: jax.Array, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    """See `Torso.tokens`."""
    features = self.features(preprocess(self.spec, observation), key if training else None)
    return features.reshape(len(features), -1, features.shape[-1])

  def features(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """See `Torso.features`; a key leaves out branches."""
    self.require_image(x)
    rate, branch = self.settings.stochastic_depth, 0
    for channels in self.SECTIONS:
      x = hk.GroupNorm(1)(self.conv(channels)(x))
      x = hk.max_pool(x, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
      for _ in range(self.BLOCKS):
        y = self.conv(channels)(jax.nn.relu(x))
        y = self.conv(channels)(jax.nn.relu(hk.GroupNorm(1)(y)))
        own = None if key is None else jax.random.fold_in(key, branch)
        x, branch = x + dropped(y, rate, own), branch + 1
    return jax.nn.relu(x)
