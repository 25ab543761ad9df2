"""What the objectives over a network of action values Q share: settings, and soft arithmetic.

With a temperature tau and a reference policy ref,
  V = tau log sum_a ref(a) exp(Q(a) / tau)      the soft value
  pi(a) = ref(a) exp((Q(a) - V) / tau)          the policy that attains it
so that one network is read as action values, as a policy and as a value. For any policy p,
  V - (E_p Q - tau KL(p || ref)) = tau KL(p || pi) >= tau / 2 ||p - pi||_1^2,
the Donsker-Varadhan identity with Pinsker's bound.
Source: Schulman, Chen, Abbeel 2017 (arXiv 1704.06440), sections 2 and 3.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Literal, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents.heads import heads, policies
from agents.heads.action_values import ActionValues
from agents.heads.policies import Policy
from agents.objectives.objective import (
  Context,
  Loss,
  Objective,
  Stream,
  View,
  weighted_mean,
)
from agents.trajectory import Trajectory
from envs import action_specs


@dataclasses.dataclass(frozen=True)
class ActionValuesConfig:
  """What the soft objectives over action values share: soft_q, soft_pg, pcl and their kin."""

  temperature: float = 0.1
  """tau, in units of the return; where it is tuned, its first value (Munchausen: .03, with which an
  untrained network's policy is deterministic already: of Catch it learned nothing in 200,000
  steps, with .1 all in 100,000)."""
  entropy_target: float = 0.0
  """Share of log A at which a tuned temperature holds the policy's entropy; 0 keeps tau fixed."""
  reference: Literal["uniform", "average"] = "uniform"
  """Reference policy: uniform, or the average over states of the policy so far, which moves."""
  n_steps: int = 10
  """n, rewards before the bootstrap of a target (R2D2: 5; A3C: 5 to 20)."""
  target_decay: float = 0.0
  """Decay of the parameters' moving average that targets are taken from (SAC: .995, with a
  replay); 0 takes the newest parameters, as on-policy agents do."""

  def __post_init__(self) -> None:
    if not self.temperature > 0.0:
      raise ValueError(f"temperature is {self.temperature}; it must be above 0.")
    if self.n_steps < 1:
      raise ValueError(f"n_steps is {self.n_steps}; it must be at least 1.")
    for name in ("entropy_target", "target_decay"):
      if not 0.0 <= getattr(self, name) <= 1.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1].")


class Soft(NamedTuple):
  """A network of action values, read three ways; [..., A] or [...].

  Attributes:
    q: [..., A], the action values.
    value: [...], V.
    log_policy: [..., A], log pi.
    kl: [...], KL(pi || ref), nats.
  """

  q: jax.Array
  value: jax.Array
  log_policy: jax.Array
  kl: jax.Array


def soft(q: jax.Array, tau: jax.Array | float, log_reference: jax.Array) -> Soft:
  """Reads action values [..., A] at a temperature, with log ref [A] or [..., A]."""
  value = tau * jax.nn.logsumexp(log_reference + q / tau, axis=-1)
  log_ratio = (q - value[..., None]) / tau
  log_policy = log_reference + log_ratio
  return Soft(q, value, log_policy, jnp.sum(jnp.exp(log_policy) * log_ratio, axis=-1))


def chosen(values: jax.Array, action: jax.Array) -> jax.Array:
  """values [..., A] of the actions int32 [...]."""
  return jnp.take_along_axis(values, action[..., None], axis=-1)[..., 0]


def action_value(view: View, action: jax.Array) -> jax.Array:
  """`Objective.value` of those over action values: Q of what was done."""
  return chosen(view.out, action)


def n_step_returns(
  rewards: jax.Array, discounts: jax.Array, values: jax.Array, mask: jax.Array, n: int
) -> jax.Array:
  """The discounted sum of the next n rewards and the value after them.

  At the end of the trajectory or of an episode it bootstraps earlier.

  Args:
    rewards, discounts: [T, B], of the transition t -> t+1.
    values: [T+1, B].
    mask: bool [T, B], False for LAST -> FIRST, where the value itself is returned.
    n: number of rewards.

  Returns:
    [T, B].
  """
  chex.assert_equal_shape([rewards, discounts, values[1:], mask])
  returns = values
  for _ in range(n):
    step = jnp.where(mask, rewards + discounts * returns[1:], values[:-1])
    returns = jnp.concatenate([step, values[-1:]])
  return returns[:-1]


def discrete_policy(actions: specs.Array) -> Policy:
  """The policy of an objective over a network of action values, which has a value for each action.

  Raises:
    ValueError: one line that names what fits, if the actions are not discrete.
  """
  kind = action_specs.kind(actions)
  if kind != "discrete":
    bounded = kind == "continuous" and np.isfinite(action_specs.bounds(actions)).all()
    raise ValueError(
      "soft_q, double_q and their kin need discrete actions, one at a time; for"
      f" {'several at once' if kind == 'factored' else 'continuous ones'} take"
      f" --objective {'sac, ' if bounded else ''}vmpo, ppo or vtrace."
    )
  return policies.build(actions)


class Duals(NamedTuple):
  """Log temperature, a scalar, and logits [A] of the reference policy."""

  log_temperature: jax.Array
  reference: jax.Array


class Case(NamedTuple):
  """What a soft objective learns from.

  Attributes:
    online, target: the two views' readings, [T+1, B].
    tau: the temperature.
    trajectory: [T+1, B].
    action: int32 [T, B], what was done.
    rewards, discounts: [T, B].
  """

  online: Soft
  target: Soft
  tau: jax.Array
  trajectory: Trajectory
  action: jax.Array
  rewards: jax.Array
  discounts: jax.Array


class Terms(NamedTuple):
  """A loss and an error of each step, both [T, B]; the error sets priorities."""

  loss: jax.Array
  error: jax.Array


def squared_errors(case: Case, targets: jax.Array) -> Terms:
  """1/2 (Q(s_t, a_t) - target)^2."""
  error = chosen(case.online.q[:-1], case.action) - targets
  return Terms(0.5 * jnp.square(error), error)


class SoftObjective(NamedTuple):
  """What a soft objective is made of.

  Attributes:
    config: settings.
    targets: case -> [T, B], which get no gradient.
    terms: (case, targets) -> Terms; in this case the target view is the online one.
  """

  config: ActionValuesConfig
  targets: Callable[[Case], jax.Array]
  terms: Callable[[Case, jax.Array], Terms]


def read(duals: Duals, q: jax.Array) -> Soft:
  """Action values [..., A] at the temperature and by the reference of the duals, both of the
  actions that are allowed."""
  tau, reference = jax.lax.stop_gradient((jnp.exp(duals.log_temperature), duals.reference))
  return soft(q, tau, jax.nn.log_softmax(policies.masked(reference, policies.possible(q))))


def make_case(
  duals: Duals, online: View, target: View, trajectory: Trajectory, rewards: Stream
) -> Case:
  """What a soft objective learns from, of two views."""
  return Case(
    read(duals, online.out),
    read(duals, target.out),
    jax.lax.stop_gradient(jnp.exp(duals.log_temperature)),
    trajectory,
    trajectory.action[:-1],
    rewards.reward,
    rewards.discount,
  )


def prepare(
  own: SoftObjective,
  duals: Duals,
  online: View,
  target: View,
  trajectory: Trajectory,
  streams: tuple[Stream, ...],
  key: jax.Array,
) -> tuple[Stream, jax.Array]:
  """The rewards and the targets, [T, B]."""
  del key
  (rewards,) = streams
  return rewards, own.targets(make_case(duals, online, target, trajectory, rewards))


def loss(
  own: SoftObjective,
  duals: Duals,
  online: View,
  trajectory: Trajectory,
  prepared: tuple[Stream, jax.Array],
  weights: jax.Array,
  key: jax.Array,
) -> Loss:
  """See `agents.objectives.objective.Objective.loss`."""
  del key
  config, (rewards, targets) = own.config, prepared
  case = make_case(duals, online, online, trajectory, rewards)
  terms = own.terms(case, targets)
  now = jax.tree.map(lambda x: x[:-1], case.online)
  probabilities = jax.lax.stop_gradient(jnp.exp(now.log_policy))
  entropy = -jnp.sum(probabilities * now.log_policy, axis=-1)
  total = weighted_mean(terms.loss, weights)
  if config.entropy_target:
    # Too high an entropy lowers the temperature (SAC, arXiv 1812.05905, equation 18).
    allowed = jnp.sum(policies.possible(now.q), axis=-1).astype(jnp.float32)
    excess = jax.lax.stop_gradient(entropy) - config.entropy_target * jnp.log(allowed)
    total += duals.log_temperature * weighted_mean(excess, weights)
  if config.reference == "average":
    # The logits' descent on this cross-entropy is what moves the average.
    log_reference = jax.nn.log_softmax(duals.reference)
    total -= weighted_mean(jnp.sum(probabilities * log_reference, axis=-1), weights)
  # Importance weights would scale what is logged.
  counted = weights > 0.0
  metrics = {
    "td_error": weighted_mean(jnp.abs(terms.error), counted),
    "entropy": weighted_mean(entropy, counted),
    "kl_reference": weighted_mean(now.kl, counted),
    "value": weighted_mean(now.value, counted),
    "tau": case.tau,
  }
  return Loss(total, metrics, terms.error)


def build(
  config: ActionValuesConfig,
  context: Context,
  targets: Callable[[Case], jax.Array],
  terms: Callable[[Case, jax.Array], Terms],
) -> Objective:
  """A soft objective: what is common to all, around targets and a loss of its own.

  Args:
    config: settings.
    context: what it is built for.
    targets, terms: see `SoftObjective`.

  Raises:
    ValueError: if the actions are not discrete.
  """
  policy = discrete_policy(context.actions)
  count = policy.size
  own = SoftObjective(config, targets, terms)
  return Objective(
    policy,
    heads.build(lambda: ActionValues(count, context.hidden, context.layers), context.compute),
    lambda duals, q: read(duals, q).log_policy,
    lambda: Duals(jnp.log(jnp.float32(config.temperature)), jnp.zeros((count,), jnp.float32)),
    functools.partial(prepare, own),
    functools.partial(loss, own),
    target_decay=config.target_decay or None,
    replays=True,
    set_temperature=lambda duals, temperature: duals._replace(log_temperature=jnp.log(temperature)),
    value=action_value,
    mask=policy.mask,
    expected_return=lambda duals, q: read(duals, q).value,
  )
