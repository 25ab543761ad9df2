"""Soft actor-critic, for continuous actions: a squashed Gaussian policy and two critics.

  y_t = r_t + gamma (min_i Q'_i(b_{t+1}, a') - alpha log pi(a' | b_{t+1})),   a' ~ pi
  critics: sum_i 1/2 (Q_i(b_t, a_t) - y_t)^2
  policy:  alpha log pi(a~ | b_t) - min_i Q_i(b_t, a~),   a~ ~ pi, reparameterised
  alpha:   log alpha (H(pi) - target), without gradient through H
with Q' and its beliefs by the moving average of the parameters. The policy's loss trains the policy
alone: the encoder learns from the critics and the BYOL loss, as in SAC+AE (Yarats et al. 2019,
arXiv 1910.01741) and DrQ (Kostrikov et al. 2020, arXiv 2004.13649).

Of two streams of rewards each has its twin critics, target and discount, and Q_i is the sum of both
streams' i-th critics: the i that is least for the sum is taken of each, so that with one discount
their targets add up to y. Entropy is paid in the environment's stream alone. Separate networks, and
acting by their sum, as Agent57 (Badia et al. 2020, arXiv 2003.13350), section 3.1.
Source: Haarnoja et al. 2018 (arXiv 1812.05905), equations 5, 9 and 18; in 18 alpha's gradient is
taken by log alpha, as most implementations do, which makes its steps relative.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents.heads import critics, policies
from agents.heads.heads import Heads
from agents.heads.policies import Policy
from agents.objectives.action_values import n_step_returns
from agents.objectives.objective import (
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
from envs import action_specs


@dataclasses.dataclass(frozen=True)
class SACConfig:
  """Soft actor-critic."""

  temperature: float = 1.0
  """First value of alpha, in units of the return (DrQ: .1); fixed at a dual_learning_rate of 0."""
  entropy_target: float = -1.0
  """Entropy that alpha holds the policy at, nats a dimension of the action, where uniform actions
  have log 2 (SAC, appendix D: -1)."""
  target_decay: float = 0.995
  """Decay of the moving average that the targets' critics and beliefs come from (SAC: .995)."""
  n_steps: int = 1
  """n, rewards before the bootstrap of a target, uncorrected for a replay's lag (SAC: 1)."""

  def __post_init__(self) -> None:
    if not self.temperature > 0.0:
      raise ValueError(f"temperature is {self.temperature}; it must be above 0.")
    if not 0.0 <= self.target_decay <= 1.0:
      raise ValueError(f"target_decay is {self.target_decay}; it must lie in [0, 1].")
    if self.n_steps < 1:
      raise ValueError(f"n_steps is {self.n_steps}; it must be at least 1.")


class Networks(NamedTuple):
  """What the objective is made of.

  Attributes:
    config: its settings.
    policy: the squashed Gaussian.
    critics: (heads' parameters, beliefs [..., H], action features [..., F]) -> values [..., 2] of
      each stream of rewards.
    heads: the policy's part of the heads.
    dimensions: F.
  """

  config: SACConfig
  policy: Policy
  critics: Callable[[Any, jax.Array, jax.Array], tuple[jax.Array, ...]]
  heads: Heads
  dimensions: int

  def draw(self, key: jax.Array, p: jax.Array) -> tuple[jax.Array, jax.Array]:
    """An action of each policy, as networks read it [..., F], and its log probability [...]."""
    sample = self.policy.sample(key, p)
    return self.policy.features(self.policy.action(sample)), self.policy.log_prob(p, sample)


def prepare(
  networks: Networks,
  log_alpha: jax.Array,
  online: View,
  target: View,
  trajectory: Trajectory,
  streams: tuple[Stream, ...],
  key: jax.Array,
) -> list[jax.Array]:
  """The targets of each stream's critics, [T, B]."""
  action, log_prob = networks.draw(key, online.out)
  surprise = -jnp.exp(log_alpha) * log_prob
  values = least(networks.critics(target.heads, target.beliefs, action))
  # Steps on the way earn entropy as the last does, but for t itself, which is no part of Q.
  first = streams[0]
  returns = n_step_returns(
    first.reward + surprise[:-1],
    first.discount,
    values[0] + surprise,
    trajectory.mask,
    networks.config.n_steps,
  )
  return [
    returns - surprise[:-1],
    *(
      n_step_returns(x.reward, x.discount, value, trajectory.mask, networks.config.n_steps, x.joins)
      for x, value in zip(streams[1:], values[1:], strict=True)
    ),
  ]


def least(critics: tuple[jax.Array, ...]) -> list[jax.Array]:
  """Of each stream's twins [..., 2] the value [...] of those whose sum over streams is less."""
  if len(critics) == 1:
    return [jnp.min(critics[0], axis=-1)]
  less = jnp.argmin(sum_of(critics), axis=-1)
  return [jnp.take_along_axis(q, less[..., None], axis=-1)[..., 0] for q in critics]


def loss(
  networks: Networks,
  log_alpha: jax.Array,
  online: View,
  trajectory: Trajectory,
  targets: list[jax.Array],
  weights: jax.Array,
  key: jax.Array,
) -> Loss:
  """Of critics, policy and alpha; see `agents.objectives.objective.Objective.loss`."""
  policy, beliefs = networks.policy, online.beliefs[:-1]
  critics = networks.critics(online.heads, beliefs, policy.features(trajectory.action[:-1]))
  errors = [q - y[..., None] for q, y in zip(critics, targets, strict=True)]
  squares = sum_of(jnp.sum(jnp.square(error), axis=-1) for error in errors)
  critic_loss = weighted_mean(0.5 * squares, weights)

  fixed = jax.lax.stop_gradient(beliefs)
  p = networks.heads.apply(online.heads, fixed)
  action, log_prob = networks.draw(key, p)
  drawn = networks.critics(jax.lax.stop_gradient(online.heads), fixed, action)
  best = jnp.min(sum_of(drawn), axis=-1)
  alpha = jax.lax.stop_gradient(jnp.exp(log_alpha))
  policy_loss = weighted_mean(alpha * log_prob - best, weights)

  entropy = policy.entropy(p)
  target_entropy = networks.config.entropy_target * networks.dimensions
  surplus = jax.lax.stop_gradient(entropy) - target_entropy
  dual_loss = log_alpha * weighted_mean(surplus, weights)
  size = priority([jnp.mean(jnp.abs(error), axis=-1) for error in errors])
  # Importance weights would scale what is logged.
  counted = weights > 0.0
  metrics = {
    "td_error": weighted_mean(size, counted),
    "entropy": weighted_mean(entropy, counted),
    "q": weighted_mean(best, counted),
    "alpha": alpha,
  }
  return Loss(critic_loss + policy_loss + dual_loss, metrics, size)


def value(networks: Networks, view: View, action: jax.Array) -> jax.Array:
  """`Objective.value`: what the first critic says of the actions."""
  return networks.critics(view.heads, view.beliefs, networks.policy.features(action))[0][..., 0]


@registry.register("sac", SACConfig, summary="soft actor-critic, for continuous actions")
def build(config: SACConfig, context: Context) -> Objective:
  kind = action_specs.kind(context.actions)
  if kind == "discrete":
    raise ValueError("sac needs continuous actions; for discrete ones take --objective soft_q.")
  if kind == "factored":
    raise ValueError(
      "sac needs continuous actions; for several integers at once take --objective vmpo, ppo or"
      " vtrace."
    )
  policy = policies.squashed_gaussian(context.actions)
  dimensions = policy.features(policy.no_action(1)).shape[-1]
  both = critics.policy_and_critics(
    policy.size,
    dimensions,
    context.hidden,
    context.layers,
    context.shared.streams,
    context.compute,
  )
  networks = Networks(config, policy, both.critics, both.heads, dimensions)
  return Objective(
    policy,
    both.heads,
    lambda log_alpha, p: p,
    lambda: jnp.log(jnp.float32(config.temperature)),
    functools.partial(prepare, networks),
    functools.partial(loss, networks),
    target_decay=config.target_decay,
    replays=True,
    separates=True,
    set_temperature=lambda log_alpha, temperature: jnp.log(temperature),
    value=functools.partial(value, networks),
  )
