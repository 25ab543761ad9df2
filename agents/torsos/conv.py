"""conv: DQN's network for pictures."""

from __future__ import annotations

import dataclasses

import jax

from agents.torsos.convolution import Conv2D
from agents.torsos.pools import PoolConfig
from agents.torsos.torso import Torso, registry


@dataclasses.dataclass(frozen=True)
class ConvConfig(PoolConfig):
  """DQN's network."""


@registry.register("conv", ConvConfig)
class Conv(Torso):
  """The small three-layer network of DQN (Mnih et al. 2015): 32x8/4, 64x4/2, 64x3/1.

  Without padding, as in the paper. Its hidden layer of 512 units is the latent, of size 512.
  """

  def features(self, x: jax.Array) -> jax.Array:
    self.require_image(x)
    if min(x.shape[1:3]) < 36:
      raise ValueError(
        f"the conv torso needs 36x36 pixels; the image is {x.shape[1]}x{x.shape[2]}."
      )
    for channels, kernel, stride in ((32, 8, 4), (64, 4, 2), (64, 3, 1)):
      x = jax.nn.relu(Conv2D(channels, kernel, stride)(x))
    return x
