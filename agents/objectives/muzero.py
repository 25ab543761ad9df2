"""muzero: policy and value learn from search, and are read from what the world model imagines.

With b_{t,0} the closed loop's belief at step t and b_{t,k} the open loop's k steps later, the mean
over t, and over k = 0 .. K that stay in the trajectory and the episode, of
  KL(target_{t+k} || pi(b_{t,k})) + value_weight * 1/2 (V(b_{t,k}) - y_{t+k})^2
    + bonus_weight * 1/2 (e(b_{t,k}) - intrinsic reward of arriving at t+k)^2,   k > 0 in the last
where the target is what the planner made of the policy when it acted, or makes of it now where the
step is reanalysed, and y is the n-step return to a moving average's value, bonus included. The
environment's rewards and ends are learned by the auxiliary loss `outcomes`; BYOL's loss stands in
for the consistency loss of EfficientZero.
Source: MuZero (Schrittwieser et al. 2020, arXiv 1911.08265), equation 1 and appendix G; reanalysis
by MuZero Unplugged (arXiv 2104.06294), section 3; EfficientZero (Ye et al. 2021, arXiv 2111.00210).
MuZero halves the gradient that reaches each earlier imagined state, which is not done here, and
codes values as categories; e is ours.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.heads import heads, policies
from agents.heads.policies import Policy
from agents.heads.policy_value import PolicyAndValue, PolicyValue, policy_mask
from agents.objectives.action_values import n_step_returns
from agents.objectives.objective import (
  VALUES,
  Context,
  Loss,
  Objective,
  Stream,
  View,
  priority,
  registry,
  state_value,
  sum_of,
  values_together,
)
from agents.trajectory import Trajectory
from agents.world_model import table


@dataclasses.dataclass(frozen=True)
class MuZeroConfig:
  """Learning what a planner plans."""

  n_steps: int = 5
  """n, rewards before the bootstrap of a value target (EfficientZero: 5; MuZero on Atari: 10)."""
  target_decay: float = 0.99
  """Decay of the moving average that value targets bootstrap from (EfficientZero: a copy every 200
  updates)."""
  reanalyse: float = 0.0
  """Share of the batch's trajectories that are planned anew, by the newest parameters, before they
  are learned from (EfficientZero: .99; MuZero Unplugged: .8 and more)."""
  bonus_weight: float = 1.0
  """Weight of the loss of what the bonus pays on imagined steps (MuZero, of rewards: 1)."""

  def __post_init__(self) -> None:
    if self.n_steps < 1:
      raise ValueError(f"n_steps is {self.n_steps}; it must be at least 1.")
    for name in ("target_decay", "reanalyse"):
      if not 0.0 <= getattr(self, name) <= 1.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1].")
    if not self.bonus_weight >= 0.0:
      raise ValueError(f"bonus_weight is {self.bonus_weight}; it must be at least 0.")


def prepare(
  config: MuZeroConfig,
  duals: Any,
  online: View,
  target: View,
  trajectory: Trajectory,
  streams: tuple[Stream, ...],
  key: jax.Array,
) -> dict[str, Any]:
  """See `agents.objectives.objective.Objective.prepare`: what the policy is to be, parameters
  [T, B, P], value targets of each stream, and the intrinsic rewards, [T, B] each."""
  del duals, online, key
  extras = trajectory.extras
  values = [
    n_step_returns(
      stream.reward,
      stream.discount,
      value,
      trajectory.mask,
      config.n_steps,
      stream.joins if len(streams) > 1 else None,
    )
    for value, stream in zip(target.out.values, streams, strict=True)
  ]
  bonus = sum_of(stream.reward for stream in streams) - trajectory.reward[1:]
  planned = extras.get("plan", {}).get("target", extras["policy"])[:-1]
  return {"policy": planned, "values": values, "bonus": bonus}


def loss(
  config: MuZeroConfig,
  policy: Policy,
  duals: Any,
  online: View,
  trajectory: Trajectory,
  targets: dict[str, Any],
  weights: jax.Array,
  key: jax.Array,
) -> Loss:
  """See `agents.objectives.objective.Objective.loss`."""
  del duals, key
  steps, horizon = weights.shape[0], online.imagined.policy.shape[1]
  now, imagined = jax.tree.map(lambda x: x[:-1], online.out), online.imagined
  pairs = table.valid_pairs(trajectory.first, horizon)
  later, _ = table.target_step(steps, horizon)  # [T, K], T where it lies past the end
  inside = jnp.minimum(later, steps - 1)
  # Nothing was planned at the last entry, nor is an episode's last step anything to act in.
  acted = pairs & (later < steps)[..., None] & trajectory.mask[inside]
  counted = jnp.concatenate([trajectory.mask[:, None], acted], axis=1)

  def mean(errors: jax.Array, valid: jax.Array) -> jax.Array:
    """Of errors [T, K', B]: over those that are valid, then over the starts by their weights."""
    count = jnp.sum(valid, axis=1)
    each = jnp.sum(jnp.where(valid, errors, 0.0), axis=1) / jnp.maximum(count, 1)
    return jnp.sum(each * weights) / jnp.maximum(jnp.sum((weights > 0.0) & (count > 0)), 1)

  def along(now: jax.Array, imagined: jax.Array) -> jax.Array:
    return jnp.concatenate([now[:, None], imagined], axis=1)

  def at(target: jax.Array) -> jax.Array:
    return along(target, target[inside])

  parameters = along(now.policy, imagined.policy)
  kl = mean(sum_of(policy.kl(at(targets["policy"]), parameters).values()), counted)
  value_loss = sum_of(
    0.5 * mean(jnp.square(along(a, b) - at(y)), counted)
    for a, b, y in zip(now.values, imagined.values, targets["values"], strict=True)
  )
  paid = mean(0.5 * jnp.square(imagined.bonus - targets["bonus"][later - 1]), pairs)
  count = jnp.maximum(jnp.sum(weights > 0.0), 1)
  errors = [v - y for v, y in zip(now.values, targets["values"], strict=True)]
  entropy = jnp.sum(policy.entropy(now.policy) * weights) / count
  metrics: Metrics = {"policy_loss": kl, "value_loss": value_loss, "bonus_error": paid}
  metrics |= {
    "entropy": entropy,
    "planned_entropy": jnp.sum(policy.entropy(targets["policy"]) * weights) / count,
  }
  metrics |= {
    name: jnp.sum(v * weights) / count for name, v in zip(VALUES, now.values, strict=False)
  }
  total = kl + config.bonus_weight * paid
  return Loss(total, metrics, priority(errors), entropy=entropy, value=value_loss)


def expected_bonus(out: PolicyAndValue) -> jax.Array:
  """See `agents.objectives.objective.Objective.expected_bonus`."""
  return out.bonus


@registry.register("muzero", MuZeroConfig, summary="policy and value learn what a planner plans")
def build(config: MuZeroConfig, context: Context) -> Objective:
  policy = policies.build(context.actions)
  return Objective(
    policy,
    heads.build(
      lambda: PolicyValue(
        policy.size, context.hidden, context.layers, context.shared.streams, bonus=True
      ),
      context.compute,
    ),
    lambda duals, out: out.policy,
    lambda: {},
    functools.partial(prepare, config),
    functools.partial(loss, config, policy),
    target_decay=config.target_decay or None,
    replays=True,
    separates=True,
    value=state_value,
    mask=policy_mask(policy),
    expected_return=values_together,
    reads_imagined=True,
    expected_bonus=expected_bonus,
    reanalyses=config.reanalyse,
  )
