"""Pools: from tokens to one vector, as a setting of every torso that gives tokens."""

from __future__ import annotations

import dataclasses
import typing
from typing import Literal

import haiku as hk
import jax
import jax.numpy as jnp

from agents.torsos import tokens as pieces

Pool = Literal["default", "mean", "attention"]


@dataclasses.dataclass(frozen=True)
class PoolConfig:
  """How tokens become one latent."""

  pool: Pool = "default"
  """How tokens become the latent: the torso's own way; their mean; or by attention, one head that
  weighs them by what they hold (PatchConvNet, arXiv 2112.13692, section 3.1), to be seen by
  `rarebird evaluate RUN --show attention`."""

  def __post_init__(self) -> None:
    if self.pool not in typing.get_args(Pool):
      raise ValueError(f"pool is {self.pool!r}; give {' or '.join(typing.get_args(Pool))}.")


def class_attention(
  token: jax.Array, tokens: jax.Array, heads: int, name: str
) -> tuple[jax.Array, jax.Array]:
  """What a class token reads of tokens by attention; only it asks.

  With u = LN(token, tokens): softmax over all of u of (q token) (k u)^T / sqrt(D / heads), times
  v u, heads side by side, then a linear map. Source: CaiT (arXiv 2103.17239), section 3.

  Args:
    token: [N, 1, D].
    tokens: [N, P, D].
    heads: a divisor of D.
    name: of the layers.

  Returns:
    What is added to the token, [N, 1, D], and the weights of the tokens, [N, P]: the mean over the
    heads, the token's own left out, which add up to 1.
  """
  width = tokens.shape[-1]
  u = pieces.layer_norm(jnp.concatenate([token, tokens], axis=1), f"{name}_norm")

  def by_head(x: jax.Array, which: str) -> jax.Array:
    y = pieces.linear(width, f"{name}_{which}")(x)
    return y.reshape(*y.shape[:2], heads, width // heads)

  q, k, v = by_head(u[:, :1], "query"), by_head(u, "key"), by_head(u, "value")
  logits = pieces.einsum("nihc,njhc->nhj", q, k) * (width // heads) ** -0.5
  weights = jax.nn.softmax(logits, axis=-1)
  out = pieces.einsum("nhj,njhc->nhc", weights, v).reshape(-1, 1, width)
  return pieces.linear(width, f"{name}_out")(out), shares(weights)


def shares(weights: jax.Array) -> jax.Array:
  """The weights [N, H, 1 + P] of tokens, without the class token's own, as shares [N, P]."""
  tokens = jnp.mean(weights[..., 1:], axis=1)
  return tokens / jnp.maximum(jnp.sum(tokens, axis=-1, keepdims=True), 1e-9)


class Attention(hk.Module):
  """Learned pooling: tokens [N, P, D] -> a vector of each observation, [N, D], and weights [N, P].

  A class token c, in each block c += g1 attention(c, tokens); c += g2 MLP(LN c); then LN. With one
  block, one head and an MLP of 3 D hidden units: PatchConvNet (arXiv 2112.13692), section 3.1.
  """

  def __init__(
    self,
    blocks: int = 1,
    heads: int = 1,
    expansion: int = 3,
    scale: float = 1.0,
    name: str = "pool",
  ):
    """Blocks, heads, hidden units of an MLP for each of its inputs, and where g1 and g2 begin."""
    super().__init__(name=name)
    self.blocks, self.heads, self.expansion, self.scale = blocks, heads, expansion, scale

  def __call__(self, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
    n, _, width = tokens.shape
    token = hk.get_parameter("class", (width,), init=hk.initializers.RandomNormal(0.02))
    token = jnp.broadcast_to(token, (n, 1, width))
    for i in range(self.blocks):
      read, weights = class_attention(token, tokens, self.heads, f"attention_{i}")
      token = token + pieces.scaled(read, self.scale, f"attention_scale_{i}")
      y = pieces.layer_norm(token, f"mlp_norm_{i}")
      y = pieces.feed_forward(y, self.expansion * width, f"mlp_{i}")
      token = token + pieces.scaled(y, self.scale, f"mlp_scale_{i}")
    return pieces.layer_norm(token, "last_norm")[:, 0], weights


def mean(tokens: jax.Array) -> jax.Array:
  """The mean over tokens [N, P, D] after LayerNorm, [N, D]."""
  return jnp.mean(pieces.layer_norm(tokens, "pool_norm"), axis=1)
