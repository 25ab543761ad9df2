"""BYOL-Explore: curiosity about what the latent world model could not foresee.

Formula: l_t = mean over p + q = t + 1 of L(p, q), the errors of all forecasts of the latent that
the transition t led to; reward = max((l_t - mu) / sigma, 0) with running mu and sigma.
Source: Guo et al. 2022 (arXiv 2206.08332), section 3.3.
Good at: deterministic worlds of images where novelty lies far away; it costs no network of its own,
being a reading of the world model's training loss.
Bad at: stochastic elements, whose error never vanishes (the noisy television).
Cost: none beyond the world model's loss.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from agents.agent import Trajectory
from agents.bonuses import normaliser
from agents.bonuses.bonus import Bonus, BonusConfig, Outputs, registry
from agents.world_model import table


@registry.register("byol_explore", summary="errors of the latent world model's open-loop forecasts")
def build(config: BonusConfig) -> Bonus:
  decay = config.normaliser_decay

  def reward(params, statistics, trajectory: Trajectory, outputs: Outputs):
    del params
    assert outputs.errors is not None
    assert outputs.valid is not None
    surprise = jax.lax.stop_gradient(table.uncertainty(outputs.errors, outputs.valid))
    real = trajectory.real
    statistics = normaliser.update(statistics, surprise, real, decay)
    rewards = normaliser.normalise(statistics, surprise, real, decay, config.clip_at_mean)
    mean, std = normaliser.moments(statistics, decay)
    clipped = jnp.sum(real & (rewards == 0.0)) / jnp.maximum(jnp.sum(real), 1)
    return rewards, statistics, {"surprise_mean": mean, "surprise_std": std, "clipped": clipped}

  def loss(params, trajectory, outputs: Outputs) -> jax.Array:
    del params, trajectory, outputs
    return jnp.float32(0.0)

  return Bonus(lambda key: ((), normaliser.init()), reward, loss, reads_table=True)
