"""No bonus: the agent learns from the environment's reward alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from agents.bonuses.bonus import Bonus, BonusConfig, Outputs, registry


@registry.register("none", summary="no bonus: the plain agent")
def build(config: BonusConfig) -> Bonus:
  del config

  def reward(params, statistics, trajectory, outputs: Outputs):
    del params, outputs
    return jnp.zeros_like(trajectory.reward[1:]), statistics, {}

  def loss(params, trajectory, outputs: Outputs) -> jax.Array:
    del params, trajectory, outputs
    return jnp.float32(0.0)

  return Bonus(lambda key: ((), ()), reward, loss, reads_table=False)
