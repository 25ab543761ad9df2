"""patch_convnet: convolutions that keep their resolution, pooled by attention that can be shown."""

from __future__ import annotations

import dataclasses
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from agents.torsos import pools, tokens
from agents.torsos.stochastic_depth import StochasticDepthConfig, StochasticDepthTorso
from agents.torsos.torso import registry

SQUEEZE = 4
"""The channels of a squeeze are so many times fewer (PatchConvNet's code)."""


@dataclasses.dataclass(frozen=True)
class PatchConvNetConfig(StochasticDepthConfig):
  """A convolutional trunk and a pool by attention."""

  width: int = 64
  """d, numbers of a token (ours; PatchConvNet-S60: 384)."""
  depth: int = 4
  """Blocks (ours; PatchConvNet-S60: 60)."""
  positions: bool = True
  """Whether tokens are told where they lie (ours; PatchConvNet: not, the zeros round its edge tell
  it, which few blocks carry nowhere near the middle)."""
  layer_scale: float = 0.1
  """What each residual branch is multiplied by at the start (ours; 1e-4 at 60 blocks). At 1 what is
  attended to lies more often beside what matters than on it."""

  def __post_init__(self) -> None:
    super().__post_init__()
    tokens.check_sizes(self, "width", "depth")


@registry.register("patch_convnet", PatchConvNetConfig)
class PatchConvNet(StochasticDepthTorso):
  """Residual convolutions of one resolution; its own pool is `--torso.pool attention`.

  A block of tokens x: x += g B(LN x), where B is 1x1, gelu, depthwise 3x3, gelu, squeeze and
  excitation (channels times sigmoid of an MLP of their means), 1x1. Source: PatchConvNet (Touvron
  et al. 2021, arXiv 2112.13692), section 3, and its code; pictures here need not be square.
  """

  has_positions = True

  @classmethod
  def attends(cls, settings: Any) -> bool:
    return settings.pool != "mean"

  def features(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """See `Torso.features`; a key leaves out branches."""
    self.require_image(x)
    settings = self.settings
    x = tokens.stem(x, self.spec, settings.width)
    x = tokens.placed(x) if settings.positions else x
    for i in range(settings.depth):
      y = tokens.gelu(tokens.linear(settings.width, f"in_{i}")(tokens.layer_norm(x, f"norm_{i}")))
      y = tokens.gelu(tokens.depthwise(y, f"depthwise_{i}"))
      y = tokens.linear(settings.width, f"out_{i}")(excited(y, f"squeeze_{i}"))
      x = self.added(x, tokens.scaled(y, settings.layer_scale, f"scale_{i}"), i, key)
    return x

  @hk.transparent
  def pool(self, tokens: jax.Array) -> jax.Array:
    """See `Torso.pool`."""
    return self.by_attention(tokens, pools.Attention())


def excited(x: jax.Array, name: str) -> jax.Array:
  """Channels of x [N, H, W, D] times what an MLP makes of their means (Hu et al. 2017, arXiv
  1709.01507)."""
  means = jnp.mean(x, axis=(1, 2))
  hidden = jax.nn.relu(tokens.linear(x.shape[-1] // SQUEEZE, f"{name}_in")(means))
  return x * jax.nn.sigmoid(tokens.linear(x.shape[-1], f"{name}_out")(hidden))[:, None, None]
