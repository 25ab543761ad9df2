"""V-MPO: maximum a posteriori policy optimisation with state values.

Weights psi proportional to exp(advantage / eta) over the better half of the batch; policy loss
-sum psi log pi; eta (temperature) and alpha (KL penalty) are learned duals.
Source: Song et al. 2019 (arXiv 1909.12238), equations 2 to 5; `rlax.vmpo_loss`.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp

from agents import rlax
from agents.agent import Metrics
from agents.heads import heads, policies
from agents.heads.policies import Policy
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
)
from agents.trajectory import Trajectory


@dataclasses.dataclass(frozen=True)
class VMPOConfig:
  """V-MPO, the reinforcement-learning objective."""

  advantage: Literal["vtrace", "gae"] = "vtrace"
  """V-trace (arXiv 1802.01561) corrects for the lag between acting and learning, GAE does not."""
  trace_lambda: float = 0.95
  """lambda of V-trace or GAE (arXiv 1506.02438, section 6: .95)."""
  epsilon_temperature: float = 1.0
  """Bound epsilon_eta on the weights' divergence from uniform, nats (V-MPO: .1 on Atari, recalled;
  1 lets the few successes of a batch outweigh the rest)."""
  epsilon_kl: float = 0.05
  """Bound epsilon_alpha on KL(behaviour || policy), nats (V-MPO: .002 to .01, recalled). With
  the other defaults KL stays near .01, so that .05 hardly ever binds: it is a guard."""
  epsilon_kl_mean: float = 0.01
  """The same for continuous actions, for the policy's mean (V-MPO: .005 to .1, recalled)."""
  epsilon_kl_covariance: float = 1e-4
  """And for its covariance (V-MPO: 5e-6 to 5e-5, recalled)."""
  initial_temperature: float = 1.0
  """First value of eta (V-MPO: 1, recalled)."""
  initial_kl_penalty: float = 5.0
  """First value of alpha, of each where there are two (V-MPO: 5, recalled)."""
  scale_advantages: bool = True
  """Divide advantages by the batch's standard deviation, so that eta means the same whatever the
  size of the rewards; it stands in for the PopArt value normalisation of V-MPO."""
  top_fraction: float = 0.5
  """Share of the batch, by advantage, that the policy is pulled to (V-MPO: half)."""
  behaviour_period: int = 5
  """Calls of `learn` between two copies of the parameters to the acting policy: T_target (V-MPO:
  10). At 1 KL is 0 at each update and nothing holds the policy, which collapsed."""

  def __post_init__(self) -> None:
    for name in ("initial_temperature", "initial_kl_penalty"):
      if not 0.0 < getattr(self, name) <= 50.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must lie in (0, 50].")
    if not 0.0 < self.top_fraction <= 1.0:
      raise ValueError(f"top_fraction is {self.top_fraction}; it must lie in (0, 1].")
    if self.behaviour_period < 1:
      raise ValueError(f"behaviour_period is {self.behaviour_period}; it must be at least 1.")


def _inverse_softplus(x: float) -> jax.Array:
  return jnp.log(jnp.expm1(jnp.float32(x)))


def loss(
  config: VMPOConfig,
  policy: Policy,
  duals: Any,
  online: View,
  trajectory: Trajectory,
  streams: tuple[Stream, ...],
  weights: jax.Array,
  key: jax.Array,
) -> Loss:
  """See `agents.objectives.objective.Objective.loss`; the targets are the streams of rewards."""
  del key
  p = online.out.policy[:-1]
  behaviour, sample = trajectory.extras["policy"][:-1], trajectory.extras["sample"][:-1]
  log_prob = policy.log_prob(p, sample)
  ratios = jnp.exp(log_prob - policy.log_prob(behaviour, sample))
  advantage, targets = of_streams(
    online.out,
    streams,
    ratios if config.advantage == "vtrace" else jnp.ones_like(ratios),
    trajectory.mask,
    config.trace_lambda,
  )
  count = jnp.maximum(jnp.sum(weights), 1.0)
  kl = policy.kl(behaviour, p)
  policy_loss, logged = _policy_loss(
    config, duals, log_prob, advantage, kl, trajectory.mask, weights
  )
  value_loss = sum_of(
    0.5 * jnp.sum(jnp.square(target - values[:-1]) * weights) / count
    for target, values in zip(targets, online.out.values, strict=True)
  )
  entropy = jnp.sum(policy.entropy(p) * weights) / count
  metrics = logged | {name: jax.nn.softplus(x) for name, x in duals.items()}
  metrics |= {
    "value_loss": value_loss,
    "entropy": entropy,
  }
  metrics |= {
    name: jnp.sum(values[:-1] * weights) / count
    for name, values in zip(VALUES, online.out.values, strict=False)
  }
  return Loss(policy_loss, metrics, entropy=entropy, value=value_loss)


def _policy_loss(
  config: VMPOConfig,
  duals: Any,
  log_prob: jax.Array,
  advantage: jax.Array,
  kl: dict[str, jax.Array],
  mask: jax.Array,
  weights: jax.Array,
) -> tuple[jax.Array, Metrics]:
  """The losses of the policy, the temperature and the KL penalties, of arrays [T, B]."""
  # A bound for each part of the policy's KL, which has one part or two.
  epsilons = {
    "kl": config.epsilon_kl,
    "kl_mean": config.epsilon_kl_mean,
    "kl_covariance": config.epsilon_kl_covariance,
  }
  count = jnp.maximum(jnp.sum(weights), 1.0)
  # `rlax.vmpo_loss` averages over all entries and takes its half of them all; these corrections
  # make the mean and the half those of the transitions, however many episodes end in the batch.
  kl = {name: part * weights * weights.size / count for name, part in kl.items()}
  ranked = jnp.sort(jnp.where(mask, advantage, -jnp.inf), axis=None)
  kept = jnp.maximum(jnp.floor(config.top_fraction * count), 1.0).astype(jnp.int32)
  better = weights * (advantage >= ranked[-kept])
  # The weights do not change with a shift; at most 0, none is outweighed by one that is masked.
  advantage = jnp.where(mask, advantage - ranked[-1], 0.0)
  if config.scale_advantages:
    mean = jnp.sum(advantage) / count
    variance = jnp.sum(jnp.square(advantage - mean) * weights) / count
    advantage = advantage * jax.lax.rsqrt(variance + 1e-8)
  # Softplus rather than a clip: a dual variable that a clip holds at its bound gets no gradient
  # and would stay there.
  losses, outputs = rlax.vmpo_loss(
    sample_log_probs=log_prob,
    advantages=advantage,
    temperature_constraint=rlax.LagrangePenalty(
      duals["temperature"], jnp.float32(config.epsilon_temperature)
    ),
    kl_constraints=[
      (part, rlax.LagrangePenalty(duals[f"{name}_penalty"], jnp.float32(epsilons[name])))
      for name, part in kl.items()
    ],
    projection_operator=lambda x: jax.nn.softplus(x) + 1e-6,
    restarting_weights=better,
    top_k_fraction=1.0,
  )
  metrics = {name: jnp.mean(part) for name, part in kl.items()}
  return jnp.mean(losses), metrics | {"policy_loss": jnp.mean(outputs.policy_loss)}


def initial_duals(config: VMPOConfig, policy: Policy) -> dict[str, jax.Array]:
  """The temperature and a penalty for each part of the KL, before softplus."""
  p = jnp.zeros((policy.size,), jnp.float32)
  penalty = _inverse_softplus(config.initial_kl_penalty)
  return {"temperature": _inverse_softplus(config.initial_temperature)} | {
    f"{name}_penalty": penalty for name in jax.eval_shape(policy.kl, p, p)
  }


@registry.register("vmpo", VMPOConfig, summary="V-MPO with V-trace or GAE advantages")
def build(config: VMPOConfig, context: Context) -> Objective:
  policy = policies.build(context.actions)
  # The advantages are those of the latest policy and values, so the loss computes them itself.
  return Objective(
    policy,
    heads.build(
      lambda: PolicyValue(policy.size, context.hidden, context.layers, context.shared.streams),
      context.compute,
    ),
    lambda duals, out: out.policy,
    functools.partial(initial_duals, config, policy),
    lambda duals, online, target, trajectory, streams, key: streams,
    functools.partial(loss, config, policy),
    behaviour_period=config.behaviour_period,
    separates=True,
    value=state_value,
    mask=policy_mask(policy),
    expected_return=values_together,
  )
