"""vicreg: latents some steps apart are to agree, each entry is to vary, and no two entries alike.

Formula: with z and z' the projections of w_t and w_{t+g} of one episode, [R, D] each,
  lambda mean (z - z')^2 + mu (v(z) + v(z')) / 2 + nu (c(z) + c(z')),
v the mean over entries of max(0, 1 - sqrt(Var + 1e-4)), and c the sum of the squares of the
covariances of different entries, over D. Nothing is contrasted, and no target is fixed.
Source: VICReg (Bardes et al. 2022, arXiv 2105.04906), equations 1 to 6, recalled; there of two
pictures of one.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.auxiliaries import heads, pairs
from agents.auxiliaries.auxiliary import Auxiliary, Context, Inputs, check_at_least, registry
from agents.heads.heads import Heads

EPSILON = 1e-4
"""Added to variances (VICReg)."""


@dataclasses.dataclass(frozen=True)
class VICRegConfig(heads.ProjectorConfig):
  """Variance, invariance and covariance."""

  weight: float = 0.04
  """Weight of the loss beside the objective's (ours: the invariance then counts 1, as byol's)."""
  gap: int = 4
  """g, steps from an entry to its positive (ours)."""
  invariance: float = 25.0
  """lambda (VICReg: 25)."""
  variance: float = 25.0
  """mu (VICReg: 25)."""
  covariance: float = 1.0
  """nu (VICReg: 1)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_at_least(self, 0, "gap", "invariance", "variance", "covariance")


@registry.register("vicreg", VICRegConfig, summary="steps apart agree; entries vary, and not alike")
def build(settings: VICRegConfig, context: Context) -> Auxiliary:
  context.check_window("vicreg", "gap", settings.gap)
  net = heads.projector(settings, context.compute)
  return Auxiliary(
    lambda key: (net.init(key, jnp.zeros((1, context.latent_size))), ()),
    functools.partial(loss, settings, net),
  )


def spread(z: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array]:
  """v and c, of rows [..., D] that count so much [...]."""
  count = jnp.sum(weights)
  mean = jnp.sum(jnp.where(weights[..., None] > 0.0, weights[..., None] * z, 0.0), (0, 1))
  centred = jnp.where(weights[..., None] > 0.0, z - mean / jnp.where(count > 0.0, count, 1.0), 0.0)
  covariance = jnp.einsum("tb,tbi,tbj->ij", weights, centred, centred) / jnp.maximum(
    count - 1.0, 1.0
  )
  variance = jnp.diagonal(covariance)
  missing = jnp.maximum(1.0 - jnp.sqrt(variance + EPSILON), 0.0)
  off = jnp.sum(jnp.square(covariance)) - jnp.sum(jnp.square(variance))
  return jnp.mean(missing) * (count > 0.0), off / z.shape[-1]


def loss(
  settings: VICRegConfig, net: Heads, params: Any, state: Any, inputs: Inputs, key: jax.Array
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has no state."""
  del key
  weights = pairs.positives(inputs.trajectory.first, inputs.weights, settings.gap)
  z = net.apply(params, inputs.latents)
  other = pairs.later(z, settings.gap)
  invariance = pairs.average(jnp.mean(jnp.square(z - other), axis=-1), weights)
  (v, c), (other_v, other_c) = spread(z, weights), spread(other, weights)
  variance, covariance = (v + other_v) / 2.0, c + other_c
  total = (
    settings.invariance * invariance
    + settings.variance * variance
    + settings.covariance * covariance
  )
  return total, {"vicreg_invariance": invariance, "vicreg_variance": variance}, state
