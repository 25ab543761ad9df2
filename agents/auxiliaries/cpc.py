"""cpc: which latent comes k steps later is told by the belief, among those of the batch.

Formula: the mean over k = 1 .. K of InfoNCE of s_ij = w_j . (W_k b_i), with w_j the latent k steps
after entry j, and as negatives entries of other episodes or further away in time
(agents/auxiliaries/pairs.py). W_k is learned, one for each k; nothing is normalised.
Source: contrastive predictive coding (van den Oord et al. 2018, arXiv 1807.03748), equations 3
and 4.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.auxiliaries import pairs
from agents.auxiliaries.auxiliary import (
  Auxiliary,
  AuxiliaryConfig,
  Context,
  Inputs,
  check_at_least,
  registry,
)


@dataclasses.dataclass(frozen=True)
class CPCConfig(AuxiliaryConfig):
  """Contrastive predictive coding."""

  steps: int = 4
  """K, steps ahead that are predicted (CPC: 12 in speech; in DeepMind Lab up to 30)."""
  neighbours: int = 4
  """Steps within which entries of an episode are no negatives of one another; at least K (ours; CPC
  draws them from the same sequence as well)."""
  max_pairs: int = 1024
  """Entries of a batch that are compared with one another; see agents/auxiliaries/pairs.py."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_at_least(self, 1, "steps")
    check_at_least(self, 2, "max_pairs")
    if self.neighbours < self.steps:
      raise ValueError(f"neighbours is {self.neighbours}; it must be at least steps, {self.steps}.")


@registry.register("cpc", CPCConfig, summary="the belief tells which latent comes k steps later")
def build(settings: CPCConfig, context: Context) -> Auxiliary:
  context.check_window("cpc", "steps", settings.steps)
  shape = (settings.steps, context.belief_size, context.latent_size)

  def init(key: jax.Array) -> tuple[Any, Any]:
    return {"w": jax.random.normal(key, shape) / jnp.sqrt(context.belief_size)}, ()

  return Auxiliary(init, functools.partial(loss, settings))


def loss(
  settings: CPCConfig, params: Any, state: Any, inputs: Inputs, key: jax.Array
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has no state."""
  trajectory = inputs.trajectory
  losses, told = [], []
  for k in range(1, settings.steps + 1):
    weights = pairs.positives(trajectory.first, inputs.weights, k)
    rows = pairs.rows(trajectory.first, weights, settings.max_pairs, jax.random.fold_in(key, k))
    negatives = pairs.allowed(rows, settings.neighbours)
    predicted = rows.of(inputs.beliefs) @ params["w"][k - 1]
    logits = predicted @ rows.of(pairs.later(inputs.latents, k)).T
    losses.append(pairs.info_nce(logits, rows.weights, negatives))
    told.append(pairs.information(losses[-1], rows.weights, negatives))
  return jnp.mean(jnp.stack(losses)), {"cpc_information": jnp.mean(jnp.stack(told))}, state
