"""BYOL-Explore: curiosity about what the latent world model could not foresee.

Formula: l_t = mean over p + q = t + 1 of L(p, q), the errors of all forecasts of the latent that
the transition t led to; paid is max((l_t - mu) / sigma, 0) with running mu and sigma.
Source: Guo et al. 2022 (arXiv 2206.08332), section 3.3.
Good at: deterministic worlds of images where novelty lies far away; it costs no network of its own,
being a reading of the world model's training loss.
Bad at: stochastic elements, whose error never vanishes (the noisy television).
Cost: none beyond the world model's loss.
"""

from __future__ import annotations

from typing import Any

import jax

from agents.bonuses.bonus import Bonus, Context, Outputs, no_loss, registry
from agents.trajectory import Trajectory
from agents.world_model import table


@registry.register("byol_explore", summary="errors of the latent world model's open-loop forecasts")
def build(settings: Any, context: Context) -> Bonus:
  del settings, context

  def reward(params, statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array):
    del params, trajectory, key
    assert outputs.forecasts is not None
    return table.uncertainty(outputs.forecasts.errors, outputs.forecasts.valid), statistics, {}

  return Bonus(lambda key: ((), ()), reward, no_loss, scaling="surprise", needs=("byol",))
