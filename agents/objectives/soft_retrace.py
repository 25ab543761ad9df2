"""Soft Q(lambda) from off-policy data, with Retrace's truncated importance weights.

  y_t = r_t + gamma (V(s_{t+1}) + c_{t+1} (y_{t+1} - Q(s_{t+1}, a_{t+1}))),
  c = lambda min(1, pi(a | s) / mu(a | s)),    loss = 1/2 (Q(s_t, a_t) - y_t)^2
V, the soft value, is E_pi Q - tau KL(pi || ref), which makes it the value of pi in the regularised
sense; the rest is Retrace.
Source: Munos et al. 2016 (arXiv 1606.02647), equation 4;
`rlax.general_off_policy_returns_from_q_and_v`.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from agents import rlax
from agents.objectives.action_values import ActionValuesConfig, Case, build, chosen, squared_errors
from agents.objectives.objective import Context, Objective, across, registry


@dataclasses.dataclass(frozen=True)
class SoftRetraceConfig(ActionValuesConfig):
  """Soft Q(lambda) by Retrace."""

  trace_lambda: float = 0.95
  """lambda (Retrace, arXiv 1606.02647: 1; .95 recalled from later agents)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    if not 0.0 <= self.trace_lambda <= 1.0:
      raise ValueError(f"trace_lambda is {self.trace_lambda}; it must lie in [0, 1].")


@registry.register(
  "soft_retrace", SoftRetraceConfig, summary="soft Q(lambda), off-policy by Retrace"
)
def build_soft_retrace(config: SoftRetraceConfig, context: Context) -> Objective:
  def targets(case: Case) -> jax.Array:
    target, action, mask = case.target, case.action, case.trajectory.mask
    behaviour = jax.nn.log_softmax(case.trajectory.extras["policy"][:-1])
    log_ratio = chosen(target.log_policy[:-1], action) - chosen(behaviour, action)
    # 0 where an episode ends: the value of its last step is all that follows.
    trace = jnp.where(mask, config.trace_lambda * jnp.exp(jnp.minimum(log_ratio, 0.0)), 0.0)
    returns = jax.vmap(rlax.general_off_policy_returns_from_q_and_v, in_axes=1, out_axes=1)
    q, value = chosen(target.q[:-1], action), target.value
    rewards, discounts = case.rewards, case.discounts
    if (joins := case.joins) is not None:
      # As if the last entry of an episode were left out: it passes on what follows it.
      value = across(value, joins)
      q, rewards = jnp.where(joins, value[:-1], q), jnp.where(joins, 0.0, rewards)
      discounts, trace = jnp.where(joins, 1.0, discounts), jnp.where(joins, 1.0, trace)
    return jnp.asarray(returns(q[1:], value[1:], rewards, discounts, trace[1:]))

  return build(config, context, targets, squared_errors)
