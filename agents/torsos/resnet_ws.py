"""resnet_ws: the residual network with weight-standardised convolutions."""

from __future__ import annotations

from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from agents.torsos.convolution import convolution
from agents.torsos.resnet import ResNet, ResNetConfig
from agents.torsos.torso import registry


def standardised(w: jax.Array) -> jax.Array:
  """Weights [..., O], of each output unit less their mean, over sqrt(var * fan_in)."""
  axes, fan_in = tuple(range(w.ndim - 1)), float(np.prod(w.shape[:-1]))
  mean, var = jnp.mean(w, axis=axes), jnp.var(w, axis=axes)
  return (w - mean) * jax.lax.rsqrt(jnp.maximum(var * fan_in, 1e-4))


class StandardisedConv2D(hk.Module):
  """A 3x3 convolution with standardised weights: (W - mean) / sqrt(var * fan_in) * gain.

  Qiao et al. 2019 (arXiv 1903.10520), in the scaled form of Brock et al. 2021 (arXiv 2101.08692).
  """

  def __init__(self, channels: int, name: str | None = None):
    super().__init__(name=name)
    self.channels = channels

  def __call__(self, x: jax.Array) -> jax.Array:
    shape = (3, 3, x.shape[-1], self.channels)
    w = hk.get_parameter("w", shape, init=hk.initializers.VarianceScaling())
    gain = hk.get_parameter("gain", (self.channels,), init=jnp.ones)
    bias = hk.get_parameter("bias", (self.channels,), init=jnp.zeros)
    w = standardised(w) * gain
    return convolution(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), w) + bias


@registry.register("resnet_ws", ResNetConfig)
class WeightStandardisedResNet(ResNet):
  """The residual network with weight-standardised convolutions, BYOL's batch-free recipe."""

  @staticmethod
  def conv(channels: int) -> Callable[[jax.Array], jax.Array]:
    return StandardisedConv2D(channels)
