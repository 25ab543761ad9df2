"""The entropy-regularised policy gradient of a network of action values.

  loss = tau (-A_t log pi(a_t | s_t) + tau KL(pi || ref)(s_t)) + 1/2 (V(s_t) - V_hat_t)^2
with V_hat the n-step return of rewards less tau KL, and the advantage A = V_hat - V without
gradient; pi and V are readings of the same Q. On policy its expected gradient is that of `soft_q`:
the policy gradient, tau times, is the part of Q's gradient that moves pi, and the value loss is the
part that moves V.
Source: Schulman, Chen, Abbeel 2017 (arXiv 1704.06440), section 3 (recalled).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from agents.objectives.action_values import ActionValuesConfig, Case, Terms, build, chosen
from agents.objectives.objective import Context, Objective, registry
from agents.objectives.soft_q import regularised_returns


@registry.register("soft_pg", summary="policy gradient and value loss of the same action values")
def build_soft_pg(config: ActionValuesConfig, context: Context) -> Objective:
  def targets(case: Case) -> jax.Array:
    return regularised_returns(case, config.n_steps)

  def terms(case: Case, wanted: jax.Array) -> Terms:
    now, tau = jax.tree.map(lambda x: x[:-1], case.online), case.tau
    # The KL at t is part of V_hat, whose gradient stops, as is V in the advantage.
    advantage = jax.lax.stop_gradient(wanted - now.value)
    policy = -advantage * chosen(now.log_policy, case.action) + tau * now.kl
    return Terms(tau * policy + 0.5 * jnp.square(now.value - wanted), advantage)

  return build(config, context, targets, terms)
