"""What the world model makes of a trajectory: beliefs, latents, forecasts and their errors.

The BYOL loss, the rewards of BYOL-Explore and the information gain are readings of the forecasts,
which are made once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from agents.world_model import table
from agents.world_model.world_model import WorldModel


class Forecasts(NamedTuple):
  """The world model's forecasts, from every step t = 0 .. T-1, k = 1 .. K steps ahead.

  Attributes:
    targets: [T+1, B, N], latents of the target encoder.
    imagined: [T, K, B, H], open-loop beliefs b_{t,k}.
    errors: [T, K, B], L(t, k) of agents/world_model/table.py.
    valid: bool [T, K, B], which entries count.
  """

  targets: jax.Array
  imagined: jax.Array
  errors: jax.Array
  valid: jax.Array


class Outputs(NamedTuple):
  """What the world model made of a trajectory, for bonuses and losses to read.

  Attributes:
    beliefs: [T+1, B, H].
    latents: [T+1, B, N], of the online encoder.
    forecasts: and their errors, or None if nobody asked for them.
  """

  beliefs: jax.Array
  latents: jax.Array
  forecasts: Forecasts | None


def forecast(
  model: WorldModel,
  horizon: int,
  params: Any,
  targets: jax.Array,
  starts: Any,
  actions: jax.Array,
  first: jax.Array,
) -> Forecasts:
  """The open loop's forecasts from every step.

  Args:
    model: the world model.
    horizon: K, its.
    params: its parameters.
    targets: [T+1, B, N], what is forecast.
    starts: where the open loop starts, arrays [T+1, B, ...].
    actions: [T+1, B, *A]; the last is a place-holder.
    first: bool [T+1, B], where episodes begin.
  """
  imagined = model.imagine(params, starts, actions)
  errors = model.errors(params, imagined, targets)
  return Forecasts(targets, imagined, errors, table.valid_pairs(first, horizon))
