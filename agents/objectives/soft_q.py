"""Soft Q-learning with n-step targets.

  y_t = r_t + sum_{d=1}^{n-1} gamma^d (r_{t+d} - tau KL_{t+d}) + gamma^n V(s_{t+n})
  loss = 1/2 (Q(s_t, a_t) - y_t)^2
with the exact KL(pi || ref) of every state on the way. On policy its expected gradient is that of
`soft_pg`, for the same targets.
Source: Schulman, Chen, Abbeel 2017 (arXiv 1704.06440), section 3 (recalled).
"""

from __future__ import annotations

import jax

from agents.objectives.action_values import (
  ActionValuesConfig,
  Case,
  build,
  n_step_returns,
  squared_errors,
)
from agents.objectives.objective import Context, Objective, registry


def regularised_returns(case: Case, n: int) -> jax.Array:
  """V_hat_t, the n-step return of the rewards less tau KL, both from step t on; [T, B]."""
  target = case.target
  rewards = case.rewards - case.tau * target.kl[:-1]
  return n_step_returns(rewards, case.discounts, target.value, case.trajectory.real, n)


@registry.register("soft_q", summary="soft Q-learning with n-step targets")
def build_soft_q(config: ActionValuesConfig, context: Context) -> Objective:
  def targets(case: Case) -> jax.Array:
    # The KL at t itself is no part of Q(s_t, a_t).
    return regularised_returns(case, config.n_steps) + case.tau * case.target.kl[:-1]

  return build(config, context, targets, squared_errors)
