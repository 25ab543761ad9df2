"""No bonus: the agent learns from the environment's reward alone."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from agents.bonuses.bonus import Bonus, Context, no_loss, registry


@registry.register("none", summary="no bonus: the plain agent")
def build(settings: Any, context: Context) -> Bonus:
  del settings, context

  def reward(params, statistics, trajectory, outputs, key):
    del params, outputs, key
    return jnp.zeros_like(trajectory.reward[1:]), statistics, {}

  return Bonus(lambda key: ((), ()), reward, no_loss, scaling="none")
