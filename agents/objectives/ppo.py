"""PPO: proximal policy optimisation with a clipped surrogate.

Several epochs of minibatches on one batch, each minimising
  -min(r A, clip(r, 1 - c, 1 + c) A) + value_weight * value loss - entropy_weight * entropy,
with r = pi(a) / behaviour(a) and A the advantages by GAE, fixed before the first step.
Source: Schulman et al. 2017 (arXiv 1707.06347), equations 7, 9 and 11; what the paper leaves open
is as in CleanRL's `ppo_atari.py` (Huang et al. 2022, "The 37 implementation details of PPO").

A minibatch is whole columns of the batch, whose recurrent state starts from the memory stored with
the trajectory. CleanRL's feed-forward agents shuffle single transitions instead: a quarter of 8 x
128 of them, where here a quarter is 2 columns of 128. Like CleanRL's, the first sight of a batch
is on policy (in the host runtimes: all but), so the acting policy is renewed at every call of
`learn`.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents import rlax
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
class PPOConfig:
  """PPO, a reinforcement-learning objective. Sources name CleanRL's `ppo_atari.py`.

  Its other values belong to the agent's own fields: learning_rate 2.5e-4 (which it lets fall to 0
  over the run), the epsilon of adam 1e-5, max_gradient_norm .5, value_weight .5, batch_size 8 and
  unroll_length 128.
  """

  gae_lambda: float = 0.95
  """lambda of GAE (arXiv 1506.02438, equation 16; .95)."""
  epochs: int = 4
  """How often each batch is gone through (4)."""
  minibatches: int = 4
  """Into how many parts each epoch divides the batch's environments, at random (4)."""
  clip: float = 0.1
  """c, how far from 1 the ratio of the policies still gets a gradient (.1)."""
  clip_value: bool = True
  """Clip the value's change too, by the same c (yes; little use by arXiv 2006.05990)."""
  normalise_advantages: bool = True
  """Shift and scale the advantages of each minibatch to mean 0 and deviation 1 (yes)."""

  def __post_init__(self) -> None:
    if not 0.0 <= self.gae_lambda <= 1.0:
      raise ValueError(f"gae_lambda is {self.gae_lambda}; it must lie in [0, 1].")
    for name in ("epochs", "minibatches"):
      if getattr(self, name) < 1:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
    if self.clip <= 0.0:
      raise ValueError(f"clip is {self.clip}; it must be positive.")


class Targets(NamedTuple):
  """What PPO fixes before its gradient steps, each [T, B]; targets and values, one a stream."""

  advantage: jax.Array
  target: tuple[jax.Array, ...]
  value: tuple[jax.Array, ...]


def value_errors(
  config: PPOConfig, values: jax.Array, targets: jax.Array, before: jax.Array
) -> jax.Array:
  """Squared errors [T, B] of values that were `before` when the batch was prepared."""
  error = jnp.square(values - targets)
  if config.clip_value:
    near = before + jnp.clip(values - before, -config.clip, config.clip)
    error = jnp.maximum(error, jnp.square(near - targets))
  return error


@registry.register("ppo", PPOConfig, summary="PPO: clipped surrogate, epochs of minibatches, GAE")
def build(config: PPOConfig, context: Context) -> Objective:
  shared, policy = context.shared, policies.build(context.actions)

  def prepare(
    duals: Any,
    online: View,
    target: View,
    trajectory: Trajectory,
    streams: tuple[Stream, ...],
    key: jax.Array,
  ) -> Targets:
    del duals, target, key
    ratios = jnp.ones_like(streams[0].reward)
    advantage, values = of_streams(online.out, streams, ratios, trajectory.mask, config.gae_lambda)
    return Targets(advantage, values, tuple(x[:-1] for x in online.out.values))

  def loss(
    duals: Any,
    online: View,
    trajectory: Trajectory,
    targets: Targets,
    weights: jax.Array,
    key: jax.Array,
  ) -> Loss:
    del duals, key
    p = online.out.policy[:-1]
    behaviour, sample = trajectory.extras["policy"][:-1], trajectory.extras["sample"][:-1]
    count = jnp.maximum(jnp.sum(weights), 1.0)

    def mean(x: jax.Array) -> jax.Array:
      return weighted_mean(x, weights)

    advantage = targets.advantage
    if config.normalise_advantages:
      advantage = advantage - mean(advantage)
      advantage = advantage / (jnp.sqrt(mean(jnp.square(advantage))) + 1e-8)
    ratio = jnp.exp(policy.log_prob(p, sample) - policy.log_prob(behaviour, sample))
    # rlax averages over all entries; this makes its mean that of the real ones.
    scaled = advantage * weights * (weights.size / count)
    policy_loss = jnp.asarray(
      rlax.clipped_surrogate_pg_loss(ratio.reshape(-1), scaled.reshape(-1), config.clip)
    )
    values = [x[:-1] for x in online.out.values]
    value_loss = sum_of(
      0.5 * mean(value_errors(config, *each))
      for each in zip(values, targets.target, targets.value, strict=True)
    )
    entropy = mean(policy.entropy(p))
    metrics = {name: mean(part) for name, part in policy.kl(behaviour, p).items()}
    metrics |= {
      "policy_loss": policy_loss,
      "value_loss": value_loss,
      "entropy": entropy,
      "clip_fraction": mean((jnp.abs(ratio - 1.0) > config.clip).astype(jnp.float32)),
    }
    metrics |= {name: mean(x) for name, x in zip(VALUES, values, strict=False)}
    return Loss(policy_loss, metrics, entropy=entropy, value=value_loss)

  return Objective(
    policy,
    heads.build(
      lambda: PolicyValue(policy.size, context.hidden, context.layers, shared.streams),
      context.compute,
    ),
    lambda duals, out: out.policy,
    lambda: {},
    prepare,
    loss,
    epochs=config.epochs,
    minibatches=config.minibatches,
    separates=True,
    value=state_value,
    mask=policy_mask(policy),
    expected_return=values_together,
  )
