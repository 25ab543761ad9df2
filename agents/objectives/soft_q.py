"""Soft Q-learning with n-step targets.

  y_t = r_t + sum_{d=1}^{n-1} gamma^d (r_{t+d} - tau KL_{t+d}) + gamma^n V(s_{t+n})
  loss = 1/2 (Q(s_t, a_t) - y_t)^2
with the exact KL(pi || ref) of every state on the way. On policy its expected gradient is that of
`soft_pg`, for the same targets.
Source: Schulman, Chen, Abbeel 2017 (arXiv 1704.06440), section 3 (recalled).
"""

from __future__ import annotations

import functools

import jax

from agents.objectives.action_values import (
  ActionValuesConfig,
  Case,
  build,
  n_step_returns,
  squared_errors,
)
from agents.objectives.objective import Context, Objective, registry


def soft_targets(case: Case, n: int) -> jax.Array:
  """y_t, [T, B]: the n-step return of the rewards less tau KL, without the KL of step t itself."""
  target = case.target
  penalty = case.tau * target.kl[:-1]
  return penalty + n_step_returns(
    case.rewards - penalty, case.discounts, target.value, case.trajectory.mask, n, case.joins
  )


@registry.register("soft_q", ActionValuesConfig, summary="soft Q-learning with n-step targets")
def build_soft_q(config: ActionValuesConfig, context: Context) -> Objective:
  return build(config, context, functools.partial(soft_targets, n=config.n_steps), squared_errors)
