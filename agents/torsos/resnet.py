"""resnet: BYOL-Explore's residual network for pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import haiku as hk
import jax

from agents.torsos.convolution import Conv2D
from agents.torsos.stochastic_depth import StochasticDepthConfig, StochasticDepthTorso
from agents.torsos.torso import registry


@dataclasses.dataclass(frozen=True)
class ResNetConfig(StochasticDepthConfig):
  """A residual network."""


@registry.register("resnet", ResNetConfig)
class ResNet(StochasticDepthTorso):
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

  def features(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """See `Torso.features`; a key leaves out branches."""
    self.require_image(x)
    branch = 0
    for channels in self.SECTIONS:
      x = hk.GroupNorm(1)(self.conv(channels)(x))
      x = hk.max_pool(x, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
      for _ in range(self.BLOCKS):
        y = self.conv(channels)(jax.nn.relu(x))
        y = self.conv(channels)(jax.nn.relu(hk.GroupNorm(1)(y)))
        x, branch = self.added(x, y, branch, key), branch + 1
    return jax.nn.relu(x)
