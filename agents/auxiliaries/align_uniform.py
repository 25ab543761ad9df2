"""align_uniform: positives lie close on the sphere, and all of them spread over it.

Formula: with x and y the normalised projections of w_t and w_{t+g} of one episode,
  w_a mean |x - y|^alpha + w_u (U(x) + U(y)) / 2,
U(x) = log of the mean over pairs i < j of exp(-t |x_i - x_j|^2), without those of an episode that
lie close in time. The least value of U is -4 where there are many dimensions and t = 2.
Source: alignment and uniformity (Wang and Isola 2020, arXiv 2005.10242), equations 3 to 5.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.auxiliaries import heads, pairs
from agents.auxiliaries.auxiliary import (
  Auxiliary,
  Context,
  Inputs,
  check_above_0,
  check_at_least,
  registry,
)
from agents.heads.heads import Heads
from agents.world_model.table import normalise


@dataclasses.dataclass(frozen=True)
class AlignUniformConfig(pairs.PairsConfig, heads.ProjectorConfig):
  """Alignment and uniformity."""

  align: float = 1.0
  """w_a (arXiv 2005.10242: .98 on STL-10, 3 on ImageNet-100)."""
  uniform: float = 1.0
  """w_u (arXiv 2005.10242: .96 on STL-10, 1 on ImageNet-100); without it, all latents collapse."""
  alpha: float = 2.0
  """Power of the distance of positives (arXiv 2005.10242: 2)."""
  spread: float = 2.0
  """t, of the Gaussian by which points repel one another (arXiv 2005.10242: 2)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_at_least(self, 0, "align", "uniform")
    check_above_0(self, "alpha", "spread")


@registry.register(
  "align_uniform", AlignUniformConfig, summary="positives close, and all spread over the sphere"
)
def build(settings: AlignUniformConfig, context: Context) -> Auxiliary:
  settings.check("align_uniform", context)
  net = heads.projector(settings, context.compute)
  return Auxiliary(
    lambda key: (net.init(key, jnp.zeros((1, context.latent_size))), ()),
    functools.partial(loss, settings, net),
  )


def align(x: jax.Array, y: jax.Array, weights: jax.Array, alpha: float = 2.0) -> jax.Array:
  """The mean over rows [..., D] of |x - y|^alpha, a scalar."""
  distance = jnp.sum(jnp.square(x - y), axis=-1)
  # A power below 1 of 0 has no finite gradient.
  return pairs.average((distance if alpha == 2.0 else (distance + 1e-12) ** (alpha / 2)), weights)


def uniformity(
  x: jax.Array, weights: jax.Array, different: jax.Array, spread: float = 2.0
) -> jax.Array:
  """U of normalised rows, a scalar; 0 where no pair counts.

  Args:
    x: [R, D].
    weights: [R]; rows of 0 are in no pair.
    different: bool [R, R], symmetric: which pairs are compared.
    spread: t.
  """
  squares = jnp.sum(jnp.square(x), axis=-1)
  distance = squares[:, None] + squares[None, :] - 2.0 * x @ x.T
  counts = different & (weights > 0.0)[:, None] & (weights > 0.0)[None, :]
  pair = jnp.where(counts, weights[:, None] * weights[None, :], 0.0)
  total = jnp.sum(pair)
  log = jax.nn.logsumexp(jnp.where(counts, -spread * distance, pairs.NEVER), b=pair + ~counts)
  return jnp.where(total > 0.0, log - jnp.log(jnp.where(total > 0.0, total, 1.0)), 0.0)


def loss(
  settings: AlignUniformConfig, net: Heads, params: Any, state: Any, inputs: Inputs, key: jax.Array
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has no state."""
  rows, different = pairs.positive_rows(settings, inputs, key)
  z = normalise(net.apply(params, inputs.latents))
  x, y = rows.of(z), rows.of(pairs.later(z, settings.gap))
  close = align(x, y, rows.weights, settings.alpha)
  even = (
    uniformity(x, rows.weights, different, settings.spread)
    + uniformity(y, rows.weights, different, settings.spread)
  ) / 2.0
  total = settings.align * close + settings.uniform * even
  return total, {"align_uniform_align": close, "align_uniform_uniformity": even}, state
