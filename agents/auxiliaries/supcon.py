"""supcon: steps with the same label are positives of one another, all others negatives.

Formula: with z the normalised projections of latents, A(i) the entries that are not close in time
within the episode of i (agents/auxiliaries/pairs.py), and P(i) those of them with its label,
  tau mean over i of the mean over p in P(i) of -log softmax of z_i . z_a / tau over A(i), at p.
Entries without a positive are left out. Labels are agents/auxiliaries/labels.py's; by default each
counts alike, however rare.
Source: supervised contrastive learning (Khosla et al. 2020, arXiv 2004.11362), equation 2.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.auxiliaries import heads, labels, pairs
from agents.auxiliaries.auxiliary import (
  Auxiliary,
  Context,
  Inputs,
  check_above_0,
  check_at_least,
  check_share,
  registry,
)
from agents.heads.heads import Heads
from agents.world_model.table import normalise


@dataclasses.dataclass(frozen=True)
class SupConConfig(heads.ProjectorConfig):
  """Supervised contrast."""

  labels: labels.Kind = "return"
  """Which steps are alike: by their return, the goal asked for, the goal reached, or the label that
  the environment shows."""
  balance: bool = True
  """Every label counts alike (ours: where few are common, these would be all that is learned)."""
  temperature: float = 0.1
  """tau (arXiv 2004.11362: .1; its code .07)."""
  discount: float = 0.97
  """Of the return (ours)."""
  bins: int = 8
  """Bins of the return (ours)."""
  neighbours: int = 4
  """Steps within which entries of an episode are neither positives nor negatives (ours)."""
  max_pairs: int = 1024
  """Entries of a batch that are compared with one another; see agents/auxiliaries/pairs.py."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_above_0(self, "temperature")
    check_share(self, "discount")
    check_at_least(self, 2, "bins", "max_pairs")
    check_at_least(self, 0, "neighbours")


@registry.register("supcon", SupConConfig, summary="steps with the same label lie together")
def build(settings: SupConConfig, context: Context) -> Auxiliary:
  labels.check("supcon", settings.labels, context)
  net = heads.projector(settings, context.compute)
  return Auxiliary(
    lambda key: (net.init(key, jnp.zeros((1, context.latent_size))), ()),
    functools.partial(loss, settings, net, context.env),
  )


def contrast(
  logits: jax.Array, positive: jax.Array, among: jax.Array, weights: jax.Array
) -> jax.Array:
  """The mean over rows that have a positive of -mean over them of log softmax, a scalar.

  Args:
    logits: [R, R].
    positive: bool [R, R], P, a part of A.
    among: bool [R, R], A.
    weights: [R].
  """
  count = jnp.sum(positive, axis=-1)
  log = logits - jax.nn.logsumexp(jnp.where(among, logits, pairs.NEVER), axis=-1, keepdims=True)
  errors = -jnp.sum(jnp.where(positive, log, 0.0), axis=-1) / jnp.maximum(count, 1)
  return pairs.average(errors, jnp.where(count > 0, weights, 0.0))


def loss(
  settings: SupConConfig,
  net: Heads,
  env: Any,
  params: Any,
  state: Any,
  inputs: Inputs,
  key: jax.Array,
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has no state."""
  label, has = labels.of(settings.labels, env, inputs, settings.discount, settings.bins)
  rows = pairs.rows(inputs.trajectory.first, inputs.weights * has, settings.max_pairs, key)
  label = rows.of(label)
  z = normalise(net.apply(params, rows.of(inputs.latents)))
  among = pairs.allowed(rows, settings.neighbours)
  positive = among & (label[:, None] == label[None, :])
  weights = rows.weights
  if settings.balance:
    weights = labels.share_of_class(label, jnp.where(positive.any(axis=-1), weights, 0.0))
  error = contrast(z @ z.T / settings.temperature, positive, among, weights)
  counted = pairs.average(jnp.sum(positive, axis=-1).astype(jnp.float32), rows.weights)
  return settings.temperature * error, {"supcon_positives": counted}, state
