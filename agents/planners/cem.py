"""cem: plans of continuous actions by the cross-entropy method, in a model of the world.

Plans are drawn from a Gaussian, which then becomes that of the best of them, and so on.
Source: Rubinstein 1999; PETS (Chua et al. 2018, arXiv 1805.12114), section 5; see
agents/planners/gaussian_plans.py.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from agents.planners import gaussian_plans
from agents.planners.gaussian_plans import GaussianPlansConfig
from agents.planners.planner import Context, Planner, registry


@dataclasses.dataclass(frozen=True)
class CEMConfig(GaussianPlansConfig):
  """The cross-entropy method."""


def weigh(paid: jax.Array) -> jax.Array:
  """All elites count the same, [B, E]."""
  return jnp.full_like(paid, 1.0 / paid.shape[1])


@registry.register("cem", CEMConfig, summary="plans of continuous actions, cross-entropy method")
def build(settings: CEMConfig, context: Context) -> Planner:
  return gaussian_plans.build("cem", settings, weigh, context)
