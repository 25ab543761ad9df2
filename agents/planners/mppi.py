"""mppi: plans of continuous actions, of which the better count more, in a model of the world.

As `cem`, but each of the best plans is weighed by exp(return / temperature).
Source: Williams et al. 2015 (arXiv 1509.01149); TD-MPC (Hansen et al. 2022, arXiv 2203.04955),
equation 4; see agents/planners/gaussian_plans.py.
"""

from __future__ import annotations

import dataclasses
import functools

import jax

from agents.planners import gaussian_plans
from agents.planners.gaussian_plans import GaussianPlansConfig
from agents.planners.planner import Context, Planner, registry


@dataclasses.dataclass(frozen=True)
class MPPIConfig(GaussianPlansConfig):
  """Model predictive path integral control."""

  temperature: float = 0.5
  """What divides returns before they weigh plans (TD-MPC: .5)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    if not self.temperature > 0.0:
      raise ValueError(f"temperature is {self.temperature}; it must be above 0.")


def weigh(temperature: float, paid: jax.Array) -> jax.Array:
  """By the exponential of the return, [B, E]; they sum to 1."""
  return jax.nn.softmax(paid / temperature, axis=1)


@registry.register("mppi", MPPIConfig, summary="plans of continuous actions, weighed by return")
def build(settings: MPPIConfig, context: Context) -> Planner:
  return gaussian_plans.build(
    "mppi", settings, functools.partial(weigh, settings.temperature), context
  )
