"""The V-trace actor-critic of IMPALA: a policy gradient and a value, corrected for lag.

  loss = -min(1, rho_t) A_t log pi(a_t | s_t) + value_weight 1/2 (V(s_t) - v_t)^2
         - entropy_weight H(pi(. | s_t))
with rho = pi / mu, and v and A by V-trace.
Source: Espeholt et al. 2018 (arXiv 1802.01561), section 4; `rlax.vtrace_td_error_and_advantage`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from agents.heads import heads, policies
from agents.heads.policy_value import PolicyValue, policy_mask
from agents.objectives.advantages import of_streams
from agents.objectives.objective import (
  VALUES,
  Context,
  Loss,
  Objective,
  Stream,
  View,
  registry,
  state_value,
  sum_of,
  values_together,
  weighted_mean,
)
from agents.trajectory import Trajectory


@dataclasses.dataclass(frozen=True)
class VTraceConfig:
  """The V-trace actor-critic."""

  trace_lambda: float = 1.0
  """lambda, a factor of the trace's weights (IMPALA, remark 2: 1)."""

  def __post_init__(self) -> None:
    if not 0.0 <= self.trace_lambda <= 1.0:
      raise ValueError(f"trace_lambda is {self.trace_lambda}; it must lie in [0, 1].")


@registry.register("vtrace", VTraceConfig, summary="V-trace actor-critic (IMPALA)")
def build(config: VTraceConfig, context: Context) -> Objective:
  shared, policy = context.shared, policies.build(context.actions)

  def loss(
    duals: Any,
    online: View,
    trajectory: Trajectory,
    streams: tuple[Stream, ...],
    weights: jax.Array,
    key: jax.Array,
  ) -> Loss:
    del duals, key
    p = online.out.policy[:-1]
    behaviour, sample = trajectory.extras["policy"][:-1], trajectory.extras["sample"][:-1]
    log_prob = policy.log_prob(p, sample)
    advantage, targets = of_streams(
      online.out,
      streams,
      jnp.exp(log_prob - policy.log_prob(behaviour, sample)),
      trajectory.mask,
      config.trace_lambda,
    )
    # rlax's advantage has the clipped ratio in it.
    policy_loss = -weighted_mean(advantage * log_prob, weights)
    value_loss = sum_of(
      0.5 * weighted_mean(jnp.square(target - values[:-1]), weights)
      for target, values in zip(targets, online.out.values, strict=True)
    )
    entropy = weighted_mean(policy.entropy(p), weights)
    metrics = {name: weighted_mean(part, weights) for name, part in policy.kl(behaviour, p).items()}
    metrics |= {
      "policy_loss": policy_loss,
      "value_loss": value_loss,
      "entropy": entropy,
    }
    metrics |= {
      name: weighted_mean(values[:-1], weights)
      for name, values in zip(VALUES, online.out.values, strict=False)
    }
    return Loss(policy_loss, metrics, entropy=entropy, value=value_loss)

  return Objective(
    policy,
    heads.build(
      lambda: PolicyValue(policy.size, context.hidden, context.layers, shared.streams),
      context.compute,
    ),
    lambda duals, out: out.policy,
    lambda: {},
    lambda duals, online, target, trajectory, streams, key: streams,
    loss,
    separates=True,
    value=state_value,
    mask=policy_mask(policy),
    expected_return=values_together,
  )
