"""consistency: imagined beliefs are to meet those that the closed loop comes to.

Formula: with b_{t,k} the open loop's belief k steps after t, and b_{t+k} the closed loop's, through
which no gradient goes,
  mean over t of the mean over k = 1 .. K of the mean over entries of (b_{t,k} - b_{t+k})^2
over forecasts that cross no start of an episode. Heads that learn from the closed loop's beliefs,
the policy's and the value's, can then be read from imagined ones.
Source: the consistency loss of EfficientZero (Ye et al. 2021, arXiv 2111.00210), section 4.1, and
SPR (Schwarzer et al. 2020, arXiv 2007.05929): there between projections of a state, by their
cosine.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.auxiliaries.auxiliary import Auxiliary, AuxiliaryConfig, Context, Inputs, registry
from agents.world_model import table


@dataclasses.dataclass(frozen=True)
class ConsistencyConfig(AuxiliaryConfig):
  """Imagined beliefs beside the closed loop's."""

  weight: float = 1.0
  """Weight of the loss beside the objective's (EfficientZero: 2, of a cosine; SPR: 1, recalled)."""


def loss(params: Any, state: Any, inputs: Inputs, key: jax.Array) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has neither parameters nor state."""
  del params, key
  assert inputs.forecasts is not None
  imagined = inputs.forecasts.imagined
  steps, _ = table.target_step(*imagined.shape[:2])
  targets = jax.lax.stop_gradient(inputs.beliefs)[steps]
  errors = jnp.mean(jnp.square(imagined - targets), axis=-1)
  valid = inputs.forecasts.valid & (inputs.weights[:-1, None] > 0.0)
  return table.loss(errors, valid), {}, state


@registry.register(
  "consistency", ConsistencyConfig, summary="imagined beliefs are to meet the closed loop's"
)
def build(settings: ConsistencyConfig, context: Context) -> Auxiliary:
  del settings, context
  return Auxiliary(lambda key: ((), ()), loss, reads_forecasts=True)
