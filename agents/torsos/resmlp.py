"""resmlp: places mixed by one matrix, channels by another, and nothing normalised."""

from __future__ import annotations

import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp

from agents.torsos import tokens
from agents.torsos.stochastic_depth import StochasticDepthConfig, StochasticDepthTorso
from agents.torsos.torso import registry


@dataclasses.dataclass(frozen=True)
class ResMLPConfig(StochasticDepthConfig):
  """A network of linear layers over places and over channels."""

  width: int = 64
  """d, numbers of a token (ours; ResMLP-S12: 384)."""
  depth: int = 2
  """Blocks (ours; ResMLP-S12: 12)."""
  layer_scale: float = 0.1
  """What each residual branch is multiplied by at the start (ResMLP: .1 at 12 blocks, 1e-5 at
  24)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    tokens.check_sizes(self, "width", "depth")


class Affine(hk.Module):
  """a x + b of each channel, a from 1 and b from 0."""

  def __call__(self, x: jax.Array) -> jax.Array:
    scale = hk.get_parameter("scale", x.shape[-1:], init=jnp.ones)
    return scale * x + hk.get_parameter("offset", x.shape[-1:], init=jnp.zeros)


@registry.register("resmlp", ResMLPConfig)
class ResMLP(StochasticDepthTorso):
  """Places mixed by one matrix, channels by an MLP of 4 d hidden units; no normalisation.

  A block of tokens x [P, d], Aff learned numbers a x + b for each channel, W [P, P]:
    x += g1 (W Aff(x)^T)^T;  x += g2 MLP(Aff x);
  its own pool: Aff, then the mean. Source: ResMLP (Touvron et al. 2021, arXiv 2105.03404),
  equations 1 to 3. The matrix W grows with the square of the number of places.
  """

  has_positions = True

  def features(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """See `Torso.features`; a key leaves out branches."""
    self.require_image(x)
    settings = self.settings
    x = tokens.stem(x, self.spec, settings.width)
    shape, x = x.shape, x.reshape(len(x), -1, x.shape[-1])
    for i in range(settings.depth):
      y = Affine(f"places_affine_{i}")(x).swapaxes(1, 2)
      y = tokens.linear(x.shape[1], f"places_{i}")(y).swapaxes(1, 2)
      x = self.added(x, tokens.scaled(y, settings.layer_scale, f"places_scale_{i}"), 2 * i, key)
      y = tokens.feed_forward(Affine(f"mlp_affine_{i}")(x), 4 * settings.width, f"mlp_{i}")
      x = self.added(x, tokens.scaled(y, settings.layer_scale, f"mlp_scale_{i}"), 2 * i + 1, key)
    return x.reshape(shape)

  @hk.transparent
  def pool(self, tokens: jax.Array) -> jax.Array:
    """The latent [N, size] of tokens [N, P, D]."""
    return hk.Linear(self.size, name="latent")(jnp.mean(Affine("last")(tokens), axis=1))
