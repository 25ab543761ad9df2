"""Path consistency learning, unified: value and policy are read from one network.

  C_t = -V(s_t) + sum_{i<d} gamma^i (r_{t+i} - tau log(pi / ref)(a_{t+i} | s_{t+i}))
        + gamma^d V(s_{t+d})
  loss = 1/2 C_t^2
over paths of n steps, or fewer at an end. It is 0 at the optimum for any path, so data may come
from any policy. The gradient goes through every value and every log policy on the path.

It learns one value. What makes a path consistent is that tau log(pi / ref) is the advantage of the
one optimum under one discount; with two discounts no policy is optimal for both, the sum of the two
streams' paths has no such log policy, and C_t need not be 0 anywhere: two streams are refused.
Source: Nachum et al. 2017 (arXiv 1702.08892), equations 15 to 18 and section 5.1 (recalled).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from agents.objectives.action_values import (
  ActionValuesConfig,
  Case,
  Terms,
  build,
  chosen,
  n_step_returns,
)
from agents.objectives.objective import Context, Objective, registry


@registry.register(
  "pcl", ActionValuesConfig, summary="path consistency, off-policy, of the same action values"
)
def build_pcl(config: ActionValuesConfig, context: Context) -> Objective:
  def terms(case: Case, targets: jax.Array) -> Terms:
    del targets
    now = case.online
    # Q - V = tau log(pi / ref).
    paid = chosen(now.q - now.value[..., None], case.trajectory.action)[:-1]
    path = n_step_returns(
      case.rewards - paid, case.discounts, now.value, case.trajectory.mask, config.n_steps
    )
    error = path - now.value[:-1]
    return Terms(0.5 * jnp.square(error), error)

  return build(config, context, lambda case: jnp.zeros_like(case.rewards), terms, separates=False)
