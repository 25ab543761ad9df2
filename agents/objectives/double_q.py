"""Double Q-learning with n-step targets: the baseline without regularisation.

  y_t = r_t + ... + gamma^{n-1} r_{t+n-1} + gamma^n Q_target(s_{t+n}, argmax_a Q(s_{t+n}, a))
  loss = 1/2 (Q(s_t, a_t) - y_t)^2
It acts greedily but for a share epsilon of random actions; nothing corrects for those in the n - 1
steps before the bootstrap.

Of two streams of rewards each has its Q, target and discount; what is greedy is so for their sum.
Source: van Hasselt et al. 2015 (arXiv 1509.06461), equation 4; n steps as in Rainbow
(arXiv 1710.02298); two streams as Agent57 (arXiv 2003.13350), section 3.1.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents.heads import heads, policies
from agents.heads.action_values import ActionValues, of_streams
from agents.objectives.action_values import (
  action_value,
  chosen,
  discrete_policy,
  mask_of,
  n_step_returns,
)
from agents.objectives.objective import (
  VALUES,
  Context,
  Loss,
  Objective,
  Stream,
  View,
  priority,
  registry,
  sum_of,
  weighted_mean,
)
from agents.trajectory import Trajectory


@dataclasses.dataclass(frozen=True)
class DoubleQConfig:
  """Double Q-learning."""

  n_steps: int = 10
  """n, rewards before the bootstrap of a target (Rainbow: 3; R2D2: 5)."""
  target_decay: float = 0.0
  """Decay of the parameters' moving average that targets are taken from (SAC: .995, with a
  replay); 0 takes the newest parameters, as on-policy agents do."""
  epsilon: float = 0.05
  """Share of random actions (DQN: falling to .1; Double DQN: to .01)."""

  def __post_init__(self) -> None:
    if self.n_steps < 1:
      raise ValueError(f"n_steps is {self.n_steps}; it must be at least 1.")
    for name in ("target_decay", "epsilon"):
      if not 0.0 <= getattr(self, name) <= 1.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1].")


@registry.register(
  "double_q", DoubleQConfig, summary="double Q-learning with n-step targets, epsilon-greedy"
)
def build(config: DoubleQConfig, context: Context) -> Objective:
  policy = discrete_policy(context.actions)
  # Of the random actions, what falls to each of n that are allowed.
  shares = (config.epsilon / np.maximum(np.arange(policy.size + 1), 1)).astype(np.float32)

  def parameters(duals: Any, out: Any) -> jax.Array:
    del duals
    q = sum_of(of_streams(out))
    greedy = jax.nn.one_hot(jnp.argmax(q, axis=-1), policy.size)
    allowed = policies.possible(q)
    at_random = jnp.asarray(shares)[jnp.sum(allowed, axis=-1, keepdims=True)]
    return policies.masked(jnp.log((1.0 - config.epsilon) * greedy + at_random), allowed)

  def prepare(
    duals: Any,
    online: View,
    target: View,
    trajectory: Trajectory,
    streams: tuple[Stream, ...],
    key: jax.Array,
  ) -> list[jax.Array]:
    del duals, key
    best = jnp.argmax(sum_of(of_streams(online.out)), axis=-1)
    return [
      n_step_returns(
        rewards.reward,
        rewards.discount,
        chosen(q, best),
        trajectory.mask,
        config.n_steps,
        rewards.joins if len(streams) > 1 else None,
      )
      for q, rewards in zip(of_streams(target.out), streams, strict=True)
    ]

  def loss(
    duals: Any,
    online: View,
    trajectory: Trajectory,
    targets: list[jax.Array],
    weights: jax.Array,
    key: jax.Array,
  ) -> Loss:
    del duals, key
    values = [q[:-1] for q in of_streams(online.out)]
    errors = [chosen(q, trajectory.action[:-1]) - y for q, y in zip(values, targets, strict=True)]
    counted, error = weights > 0.0, priority(errors)
    best = jnp.argmax(sum_of(values), axis=-1)
    metrics = {"td_error": weighted_mean(jnp.abs(error), counted)}
    metrics |= {
      name: weighted_mean(chosen(q, best), counted) for name, q in zip(VALUES, values, strict=False)
    }
    total = weighted_mean(sum_of(jnp.square(x) for x in errors), weights)
    return Loss(0.5 * total, metrics, error)

  return Objective(
    policy,
    heads.build(
      lambda: ActionValues(policy.size, context.hidden, context.layers, context.shared.streams),
      context.compute,
    ),
    parameters,
    lambda: {},
    prepare,
    loss,
    target_decay=config.target_decay or None,
    replays=True,
    separates=True,
    value=action_value,
    mask=mask_of(policy),
    expected_return=lambda duals, out: jnp.max(sum_of(of_streams(out)), axis=-1),
  )
