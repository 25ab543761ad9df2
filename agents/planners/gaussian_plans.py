"""What cem and mppi share: plans of continuous actions, tried in imagination.

A plan is a Gaussian over the samples of the policy's family at each of H steps, [B, H, D], so that
what it draws is scaled and clipped, or squashed, as the policy's own samples are. Its first step is
the policy that acts; the rest, moved on by a step, begins the next plan.
Source: PETS (Chua et al. 2018, arXiv 1805.12114), section 5, for planning by CEM in a learned model
with the last plan as a start; TD-MPC (Hansen et al. 2022, arXiv 2203.04955), section 3, for plans
of the policy among those that are tried, and a value at the end.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from agents.heads.policies import Policy
from agents.planners.planner import Context, Model, Planner
from envs import action_specs


@dataclasses.dataclass(frozen=True)
class GaussianPlansConfig:
  """Plans of continuous actions."""

  depth: int = 0
  """H, steps of a plan; 0 for as many as the world model learns to imagine (TD-MPC: 5)."""
  iterations: int = 4
  """How often plans are drawn (PETS: 5; TD-MPC: 6)."""
  samples: int = 64
  """Plans that are drawn each time (PETS: 500; TD-MPC: 512; ours, for a CPU)."""
  elites: int = 8
  """The best of them, which make the next Gaussian (PETS: 50; TD-MPC: 64)."""
  policy_plans: int = 4
  """Plans of the policy among them (TD-MPC: a twentieth)."""
  least_scale: float = 0.05
  """The least standard deviation, where 1 is half the range of an action (TD-MPC: .05)."""
  bonus: bool = False
  """Rewards include what the objective expects the bonus to pay; see mcts."""

  def __post_init__(self) -> None:
    for name in ("iterations", "samples", "elites"):
      if getattr(self, name) < 1:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
    for name in ("depth", "policy_plans"):
      if getattr(self, name) < 0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0.")
    if self.elites > self.samples:
      raise ValueError(f"elites is {self.elites}; it must be at most samples, {self.samples}.")
    if not self.least_scale > 0.0:
      raise ValueError(f"least_scale is {self.least_scale}; it must be above 0.")


def returns(policy: Policy, model: Model, state: Any, plans: jax.Array) -> jax.Array:
  """What plans [B, S, H, D] of samples are expected to be paid, float32 [B, S].

  Args:
    policy: the family that the samples are of.
    model: that imagines.
    state: its, arrays [B, ...].
    plans: samples of the policy's family.
  """
  batch, count = plans.shape[:2]
  state = jax.tree.map(lambda x: jnp.repeat(x, count, axis=0), state)
  steps = jnp.moveaxis(plans.reshape(batch * count, *plans.shape[2:]), 1, 0)

  def body(carry: tuple[Any, Any, Any], sample: jax.Array) -> tuple[tuple[Any, Any, Any], None]:
    state, total, discount = carry
    state = model.step(state, policy.action(sample))
    total += discount * model.reward(state)
    return (state, total, discount * model.discount(state)), None

  begin = (state, jnp.zeros(batch * count), jnp.ones(batch * count))
  (state, total, discount), _ = jax.lax.scan(body, begin, steps)
  return (total + discount * model.read(state)[1]).reshape(batch, count)


def of_policy(
  policy: Policy, model: Model, state: Any, count: int, depth: int, key: jax.Array
) -> jax.Array:
  """Plans that the policy makes in imagination, samples [B, S, H, D]."""
  batch = jax.tree.leaves(state)[0].shape[0]
  state = jax.tree.map(lambda x: jnp.repeat(x, count, axis=0), state)

  def body(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
    sample = policy.sample(key, model.read(state)[0])
    return model.step(state, policy.action(sample)), sample

  _, samples = jax.lax.scan(body, state, jax.random.split(key, depth))
  return jnp.moveaxis(samples, 0, 1).reshape(batch, count, depth, -1)


def plan(
  settings: GaussianPlansConfig,
  weigh: Callable[[jax.Array], jax.Array],
  policy: Policy,
  depth: int,
  model: Model,
  state: Any,
  p: jax.Array,
  legal: jax.Array | None,
  memory: Any,
  key: jax.Array,
) -> tuple[jax.Array, dict[str, jax.Array], Any]:
  """See `agents.planners.planner.Planner.plan`; `weigh` says what each of the elites counts for,
  [B, E] of their returns, best first."""
  del legal
  assert policy.from_moments is not None
  assert policy.moments is not None
  own_key, *keys = jax.random.split(key, settings.iterations + 1)
  mean, scale = memory
  start = policy.moments(p)[1][:, None]
  scale = jnp.where(scale > 0.0, scale, jnp.broadcast_to(start, scale.shape))
  own = of_policy(policy, model, state, settings.policy_plans, depth, own_key)
  for each in keys:
    noise = jax.random.normal(each, (len(mean), settings.samples, *mean.shape[1:]))
    plans = jnp.concatenate([own, mean[:, None] + scale[:, None] * noise], axis=1)
    paid, best = jax.lax.top_k(returns(policy, model, state, plans), settings.elites)
    elites = jnp.take_along_axis(plans, best[:, :, None, None], axis=1)
    weights = weigh(paid)[:, :, None, None]
    mean = jnp.sum(weights * elites, axis=1)
    variance = jnp.sum(weights * jnp.square(elites - mean[:, None]), axis=1)
    scale = jnp.maximum(jnp.sqrt(variance), settings.least_scale)
  planned = policy.from_moments(mean[:, 0], scale[:, 0])
  # A step on; of the new last one nothing is known.
  mean = jnp.concatenate([mean[:, 1:], jnp.zeros_like(mean[:, :1])], axis=1)
  return planned, {"target": planned}, (mean, jnp.zeros_like(scale))


def build(
  name: str,
  settings: GaussianPlansConfig,
  weigh: Callable[[jax.Array], jax.Array],
  context: Context,
) -> Planner:
  """Raises ValueError, one line, unless actions are continuous, and for a depth past the
  horizon."""
  if action_specs.kind(context.actions) != "continuous":
    raise ValueError(
      f"planner {name!r} draws continuous actions, and these are"
      f" {action_specs.one_line(context.actions)}: take --planner mcts, or lookahead."
    )
  if settings.depth > context.horizon:
    raise ValueError(
      f"planner {name!r}: depth is {settings.depth}, but the world model learns to imagine"
      f" {context.horizon} steps; give --horizon {settings.depth}, or less depth."
    )
  policy, depth = context.policy, settings.depth or context.horizon
  size = policy.size // 2

  def init(batch: int) -> tuple[jax.Array, jax.Array]:
    zeros = jnp.zeros((batch, depth, size))
    return zeros, zeros

  return Planner(
    functools.partial(plan, settings, weigh, policy, depth),
    init,
    needs=("outcomes", "consistency"),
    reads_values=True,
    reads_bonus=settings.bonus,
  )
