"""xcit: attention between channels, whose cost is linear in the number of tokens."""

from __future__ import annotations

import dataclasses
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from agents.torsos import pools, tokens
from agents.torsos.stochastic_depth import StochasticDepthConfig, StochasticDepthTorso
from agents.torsos.torso import registry

MLP = 4
"""Hidden units of an MLP for each of its inputs (XCiT)."""


@dataclasses.dataclass(frozen=True)
class XCiTConfig(StochasticDepthConfig):
  """A cross-covariance image transformer."""

  width: int = 64
  """d, numbers of a token (ours; XCiT-nano: 128)."""
  depth: int = 2
  """Blocks (ours; XCiT-nano: 12)."""
  heads: int = 4
  """Groups of channels that attend to one another; a divisor of the width (XCiT-nano: 4)."""
  class_blocks: int = 1
  """Blocks of class attention after them, which are its own pool (ours; XCiT: 2)."""
  layer_scale: float = 1.0
  """What each residual branch is multiplied by at the start (XCiT: 1 at 12 blocks, 1e-5 at 24)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    tokens.check_sizes(self, "width", "depth", "heads", "class_blocks")
    if self.width % self.heads:
      fit = [n for n in range(1, self.width + 1) if self.width % n == 0]
      raise ValueError(
        f"heads is {self.heads}, which does not divide width {self.width}; these do:"
        f" {', '.join(map(str, fit))}."
      )


def normalised(x: jax.Array) -> jax.Array:
  """x [N, P, ...], each column over P divided by its norm, or by 1e-12 if that is more."""
  squares = jnp.sum(jnp.square(x), axis=1, keepdims=True)
  return x * jax.lax.rsqrt(jnp.maximum(squares, 1e-24))


def cross_covariance(q: jax.Array, k: jax.Array, v: jax.Array, temperature: jax.Array) -> jax.Array:
  """Attention between channels: of each head V A^T, A = softmax(tau Q^T K) over the last axis.

  The columns of Q and K, [P, D / H], are divided by their norms, so |logit| <= |tau|. Source: XCiT
  (Ali et al. 2021, arXiv 2106.09681), equation 2; its tau divides, its code's multiplies, as here.

  Args:
    q, k, v: [N, P, H, D / H].
    temperature: tau, [H].

  Returns:
    [N, P, H, D / H].
  """
  logits = tokens.einsum("nphc,nphe->nhce", normalised(q), normalised(k))
  weights = jax.nn.softmax(temperature[:, None, None] * logits, axis=-1)
  return tokens.einsum("nhce,nphe->nphc", weights, v)


@registry.register("xcit", XCiTConfig)
class XCiT(StochasticDepthTorso):
  """Cross-covariance attention, local patch interaction and an MLP, in turn; then class attention.

  A block of tokens x, g learned numbers for each channel:
    x += g1 XCA(LN x);  x += g3 LPI(LN x);  x += g2 MLP(LN x), of 4 d hidden units,
  where LPI is a depthwise 3x3 convolution, gelu, LN, and another. Its own pool is CaiT's: a class
  token c reads the tokens, c += g1 CA(c, x); c += g2 MLP(LN c); LN at the end. The authors' code
  adds the MLP to the normalised token; here to the token. Source: XCiT (Ali et al. 2021,
  arXiv 2106.09681), section 3, and its code.
  """

  has_positions = True

  @classmethod
  def attends(cls, settings: Any) -> bool:
    return settings.pool != "mean"

  def features(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """See `Torso.features`; a key leaves out branches."""
    self.require_image(x)
    x = tokens.placed(tokens.stem(x, self.spec, self.settings.width))
    for i in range(self.settings.depth):
      for j, (name, branch) in enumerate((("xca", _xca), ("lpi", _lpi), ("mlp", _mlp))):
        y = branch(self.settings, tokens.layer_norm(x, f"{name}_norm_{i}"), f"{name}_{i}")
        y = tokens.scaled(y, self.settings.layer_scale, f"{name}_scale_{i}")
        x = self.added(x, y, 3 * i + j, key)
    return x

  @hk.transparent
  def pool(self, tokens: jax.Array) -> jax.Array:
    """See `Torso.pool`."""
    own = self.settings
    return self.by_attention(
      tokens, pools.Attention(own.class_blocks, own.heads, MLP, own.layer_scale)
    )


def _xca(settings: XCiTConfig, x: jax.Array, name: str) -> jax.Array:
  n, h, w, width = x.shape
  heads = settings.heads
  qkv = tokens.linear(3 * width, f"{name}_qkv")(x.reshape(n, h * w, width))
  q, k, v = jnp.moveaxis(qkv.reshape(n, h * w, 3, heads, width // heads), 2, 0)
  temperature = hk.get_parameter(f"{name}_temperature", (heads,), init=jnp.ones)
  out = cross_covariance(q, k, v, temperature).reshape(x.shape)
  return tokens.linear(width, f"{name}_out")(out)


def _lpi(settings: XCiTConfig, x: jax.Array, name: str) -> jax.Array:
  del settings
  y = tokens.gelu(tokens.depthwise(x, f"{name}_first"))
  return tokens.depthwise(tokens.layer_norm(y, f"{name}_middle"), f"{name}_second")


def _mlp(settings: XCiTConfig, x: jax.Array, name: str) -> jax.Array:
  return tokens.feed_forward(x, MLP * settings.width, name)
