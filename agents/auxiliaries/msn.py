"""msn: a masked view of a picture is assigned to the prototypes of the whole one, evenly used.

Formula: with C the prototypes, z the projection of each of V views of o_t with most of it hidden,
and z' that of all of o_{t+g} by moving averages of encoder and projector,
  p = softmax(n(z) n(C) / tau),  q = sharpen(softmax(n(z') n(C) / tau)), made even by Sinkhorn,
  mean over views and entries of -sum_k q_k log p_k + lambda KL(p- || pi),
p- the mean of p over all views, and pi even. Sharpening divides the temperature: tau T. Without
the second term, or Sinkhorn, all entries fall to a few prototypes.
Source: MSN (Assran et al. 2022, arXiv 2204.07141), equations 1 and 2, and its code.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.auxiliaries import heads, pairs, prototypes, sinkhorn, views
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

LAST_SHARE = 1.25
"""Shares of the run in which the decay would rise to 1 (MSN's code)."""


@dataclasses.dataclass(frozen=True)
class MSNConfig(prototypes.PrototypesConfig):
  """Masked siamese networks."""

  masked: int = 1
  """Views with cells hidden at random (MSN's code: 1)."""
  focal: int = 1
  """Views that show one block alone (MSN's code: 10)."""
  mask: float = 0.5
  """Share of the cells that are hidden (MSN: .15 to .7, recalled)."""
  block: int = 3
  """Cells along a side of a block (ours)."""
  gap: int = 0
  """g, steps from the views to what they are assigned as (MSN has pictures alone: 0)."""
  sharpening: float = 0.25
  """T, by which the target's temperature is less (MSN's code: .25)."""
  even: float = 1.0
  """lambda, of how evenly prototypes are used (MSN's code: 1)."""
  prior_exponent: float = 0.0
  """tau of pi_k, k^-tau: how unevenly prototypes are to be used (MSN: 0, evenly)."""
  max_entries: int = views.MOST
  """Entries of a batch that are seen in views (ours; see agents/auxiliaries/views.py)."""
  decay: float = 0.996
  """Decay of the projector's moving average at the start; it rises to .9992 by the end of the run,
  linearly (MSN's code)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_share(self, "mask", "decay")
    check_above_0(self, "sharpening")
    check_at_least(self, 0, "masked", "focal", "gap", "even", "prior_exponent")
    check_at_least(self, 1, "block", "max_entries")
    if not self.masked + self.focal:
      raise ValueError("masked and focal are 0; there must be a view.")


@registry.register("msn", MSNConfig, summary="masked views have the prototypes of the whole")
def build(settings: MSNConfig, context: Context) -> Auxiliary:
  return named("msn", settings, context)


def named(name: str, settings: MSNConfig, context: Context) -> Auxiliary:
  """The loss under this name."""
  spec = context.env.observation_spec()
  views.check_cells(name, spec)
  context.check_window(name, "gap", settings.gap)
  count = settings.count(name, context, settings.max_entries)
  net = heads.projector(settings, context.compute)

  def init(key: jax.Array) -> tuple[Any, Any]:
    net_key, own_key = jax.random.split(key)
    projector = net.init(net_key, jnp.zeros((1, context.latent_size)))
    own = prototypes.init(own_key, count, settings.projector_size)
    return {"projector": projector, "prototypes": own}, jax.tree.map(jnp.copy, projector)

  def follow(params: Any, state: Any, share: jax.Array) -> Any:
    decay = settings.decay + (1.0 - settings.decay) * share / LAST_SHARE
    return heads.moved(state, params["projector"], decay)

  return Auxiliary(init, functools.partial(loss, settings, net, spec, name), follow)


def anchors(settings: MSNConfig, spec: Any, observation: Any, key: jax.Array) -> Any:
  """The V views of observations [..., *O], arrays [V, ..., *O]."""
  keys = jax.random.split(key, settings.masked + settings.focal)
  return views.stacked(
    *(views.masked(spec, observation, settings.mask, k) for k in keys[: settings.masked]),
    *(views.focal(spec, observation, settings.block, k) for k in keys[settings.masked :]),
  )


def targets(
  settings: MSNConfig, scores: jax.Array, weights: jax.Array, prior: jax.Array
) -> jax.Array:
  """q, [..., K], of cosines [..., K] of the whole pictures of entries that count so much [...]."""
  shape, epsilon = scores.shape, settings.temperature * settings.sharpening
  codes = sinkhorn.codes(
    scores.reshape(-1, shape[-1]), weights.reshape(-1), epsilon, settings.sinkhorn_iterations,
    prior,
  )  # fmt: skip
  return codes.reshape(shape)


def loss(
  settings: MSNConfig,
  net: Heads,
  spec: Any,
  name: str,
  params: Any,
  state: Any,
  inputs: Inputs,
  key: jax.Array,
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it keeps the projector's average."""
  trajectory, (view_key, row_key) = inputs.trajectory, jax.random.split(key)
  weights = pairs.positives(trajectory.first, inputs.weights, settings.gap)
  rows = pairs.rows(trajectory.first, weights, settings.max_entries, row_key)
  weights = rows.weights
  now, after = rows.of(trajectory.observation), rows.later(trajectory.observation, settings.gap)
  z = net.apply(params["projector"], inputs.encode(anchors(settings, spec, now, view_key)))
  logits = prototypes.cosines(z, params["prototypes"]) / settings.temperature
  whole = net.apply(state, inputs.encode_target(after))
  prior = prototypes.power_law(logits.shape[-1], settings.prior_exponent)
  target = targets(settings, prototypes.cosines(whole, params["prototypes"]), weights, prior)
  several = jnp.broadcast_to(weights, logits.shape[:-1])
  errors = prototypes.cross_entropy(target, logits)
  mean = prototypes.mean_use(jax.nn.softmax(logits), several)
  uneven = prototypes.divergence(mean, prior) * (jnp.sum(weights) > 0.0)
  error = pairs.average(errors, several)
  metrics = {f"{name}_divergence": uneven} | prototypes.use(name, mean, target, weights)
  return error + settings.even * uneven, metrics, state
