"""The entropy-regularised policy gradient of a network of action values.

  loss = tau (-A_t log pi(a_t | s_t) + tau KL(pi || ref)(s_t)) + 1/2 (V(s_t) - V_hat_t)^2
with V_hat = y_t - tau KL(pi || ref)(s_t), y_t the target of `soft_q`, and the advantage
A = V_hat - V, both without gradient; pi and V are readings of the same Q. On policy its expected
gradient is that of `soft_q`, whatever the targets are taken from: the policy gradient, tau times,
is the part of Q's gradient that moves pi, and the value loss is the part that moves V.

Of two streams of rewards each has this loss, with its own Q, y and V, as far as its Q moves pi: the
reference is then the policy that the other stream alone makes (`action_values.learned`), and the
identity holds for each. What regularises is in the targets of the environment's stream alone.
Source: Schulman, Chen, Abbeel 2017 (arXiv 1704.06440), section 3 (recalled).
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from agents.objectives.action_values import ActionValuesConfig, Case, Terms, build, chosen
from agents.objectives.objective import Context, Objective, registry
from agents.objectives.soft_q import soft_targets


@registry.register(
  "soft_pg", ActionValuesConfig, summary="policy gradient and value loss of the same action values"
)
def build_soft_pg(config: ActionValuesConfig, context: Context) -> Objective:
  def terms(case: Case, targets: jax.Array) -> Terms:
    now, tau = jax.tree.map(lambda x: x[:-1], case.online), case.tau
    # This KL is of the policy that learns, as the identity has it, also where targets lag behind.
    value_target = jax.lax.stop_gradient(targets - tau * now.kl)
    advantage = jax.lax.stop_gradient(value_target - now.value)
    policy = -advantage * chosen(now.log_policy, case.action) + tau * now.kl
    # The advantage of an action stays where nothing is left to learn; this error does not.
    error = chosen(now.q, case.action) - targets
    return Terms(tau * policy + 0.5 * jnp.square(now.value - value_target), error)

  return build(config, context, functools.partial(soft_targets, n=config.n_steps), terms)
