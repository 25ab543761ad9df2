"""Munchausen reinforcement learning: soft Q-learning that adds its own log policy to the reward.

The reward of a step is r + weight * max(tau log(pi / ref)(a | s), floor); the rest is `soft_q`. Of
two streams of rewards that of the environment alone is added to.
Source: Vieillard et al. 2020 (arXiv 2007.14430), equation 2. The log policy here is against the
reference: with a uniform one, tau log A more than the paper's in every step, so that it may be
above 0. The paper's targets look one step ahead; here n as everywhere.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from agents.objectives.action_values import ActionValuesConfig, Case, build, chosen, squared_errors
from agents.objectives.objective import Context, Objective, registry
from agents.objectives.soft_q import soft_targets


@dataclasses.dataclass(frozen=True)
class MunchausenConfig(ActionValuesConfig):
  """Munchausen reinforcement learning."""

  weight: float = 0.9
  """Weight of the scaled log policy (arXiv 2007.14430: .9)."""
  floor: float = -1.0
  """Least scaled log policy (arXiv 2007.14430: -1)."""


@registry.register(
  "munchausen", MunchausenConfig, summary="soft Q-learning with its log policy in the reward"
)
def build_munchausen(config: MunchausenConfig, context: Context) -> Objective:
  def targets(case: Case) -> jax.Array:
    target = case.target
    scaled = chosen(target.surplus[:-1], case.action)
    own = config.weight * jnp.maximum(scaled, config.floor)
    return soft_targets(case._replace(rewards=case.rewards + own), config.n_steps)

  return build(config, context, targets, squared_errors)
