"""BYOL: the world model's forecasts are to meet the target encoder's latents.

Formula: the mean over starts p of the mean over k = 1 .. K of L(p, k), the errors of the open
loop's forecasts k steps ahead, against the moving average of the encoder; see
agents/world_model/table.py.
The predictor and the target encoder are the world model's own.
Source: BYOL-Explore (Guo et al. 2022, arXiv 2206.08332), section 3; BYOL (Grill et al. 2020,
arXiv 2006.07733).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax

from agents.agent import Metrics
from agents.auxiliaries.auxiliary import Auxiliary, AuxiliaryConfig, Context, Inputs, registry
from agents.world_model import table
from agents.world_model.forecasts import Forecasts


@dataclasses.dataclass(frozen=True)
class BYOLConfig(AuxiliaryConfig):
  """BYOL on the latent world model."""


@registry.register("byol", BYOLConfig, summary="errors of the world model's open-loop forecasts")
def build(settings: BYOLConfig, context: Context) -> Auxiliary:
  del settings, context
  return Auxiliary(lambda key: ((), ()), loss, reads_forecasts=True)


def loss(params: Any, state: Any, inputs: Inputs, key: jax.Array) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has neither parameters nor state."""
  del params, key
  assert inputs.forecasts is not None
  return of_forecasts(inputs.forecasts, inputs.weights), {}, state


def of_forecasts(forecasts: Forecasts, weights: jax.Array) -> jax.Array:
  """The loss, a scalar, of forecasts from the entries whose weight [T+1, B] is above 0."""
  return table.loss(forecasts.errors, forecasts.valid & (weights[:-1, None] > 0.0))
