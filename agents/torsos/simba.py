"""simba: an MLP whose features and weights all have length 1, for vectors."""

from __future__ import annotations

import dataclasses
import math

import haiku as hk
import jax
import jax.numpy as jnp

from agents.precision import product
from agents.torsos.tokens import check_sizes
from agents.torsos.torso import Torso, registry

SHIFT = 3.0
"""A constant beside the observation before it is normalised, so that its length is not lost
(SimbaV2's code: c_shift 3)."""
EXPANSION = 4
"""Hidden units of a block for each of its inputs (SimbaV2's code)."""


@dataclasses.dataclass(frozen=True)
class SimbaConfig:
  """Hyperspherical layers."""

  width: int = 128
  """h, numbers of the features (SimbaV2's code: actor 128, critic 512)."""
  depth: int = 2
  """L, blocks (SimbaV2's code: actor 1, critic 2)."""

  def __post_init__(self) -> None:
    check_sizes(self, "width", "depth")


def unit(x: jax.Array, axis: int = -1) -> jax.Array:
  """x divided by its length along an axis, or by 1e-8 if that is more."""
  squares = jnp.sum(jnp.square(x), axis=axis, keepdims=True)
  return x * jax.lax.rsqrt(jnp.maximum(squares, 1e-16))


def dense(x: jax.Array, size: int, name: str) -> jax.Array:
  """x [..., I] times weights [I, size] whose columns have length 1; no bias."""
  w = hk.get_parameter(name, (x.shape[-1], size), init=hk.initializers.Orthogonal())
  return product(x, unit(w, axis=0))


def scaled(x: jax.Array, initial: float, learned_at: float, name: str) -> jax.Array:
  """x times learned numbers of each entry, which begin at `initial`; what is learned begins at
  `learned_at`, and so sets how fast."""
  init = hk.initializers.Constant(learned_at)
  return x * hk.get_parameter(name, x.shape[-1:], init=init) * (initial / learned_at)


@registry.register("simba", SimbaConfig)
class Simba(Torso):
  """Features and weights on the unit sphere, blocks that turn the one towards the other.

  With n(x) = x / |x|, s and a learned numbers for each entry, W of columns of length 1:
    x = n(s W n(o, 3));  L times: y = n(W2 (relu(s W1 x) + 1e-8)), x = n(x + a (y - x)),
  4 h hidden units; s from sqrt(2 / h), within blocks a half of that, a from 1 / (L + 1), learned at
  the scale 1 / sqrt(h). The authors put weights back on the sphere after each step of the
  optimiser; here they are divided by their lengths where they are used, so that a torso needs no
  optimiser of its own; under Adam they then grow, and turn ever slower. Their running moments of
  observations are `--normalise-observations`. Source: SimbaV2 (Lee et al. 2025, arXiv 2502.15280),
  section 4, and its code.
  """

  def features(self, x: jax.Array) -> jax.Array:
    width, depth = self.settings.width, self.settings.depth
    x = x.reshape(len(x), -1)
    x = unit(jnp.concatenate([x, jnp.full((len(x), 1), SHIFT)], axis=-1))
    gain = math.sqrt(2.0 / width)
    x = unit(scaled(dense(x, width, "embed"), gain, gain, "embed_scale"))
    inner = gain / math.sqrt(EXPANSION)
    for i in range(depth):
      y = scaled(dense(x, EXPANSION * width, f"in_{i}"), inner, inner, f"in_scale_{i}")
      y = unit(dense(jax.nn.relu(y) + 1e-8, width, f"out_{i}"))
      x = unit(x + scaled(y - x, 1.0 / (depth + 1), width**-0.5, f"turn_{i}"))
    return x
