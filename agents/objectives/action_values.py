"""What the objectives over a network of action values Q share: settings, and soft arithmetic.

With a temperature tau and a reference policy ref,
  V = tau log sum_a ref(a) exp(Q(a) / tau)      the soft value
  pi(a) = ref(a) exp((Q(a) - V) / tau)          the policy that attains it
so that one network is read as action values, as a policy and as a value. For any policy p,
  V - (E_p Q - tau KL(p || ref)) = tau KL(p || pi) >= tau / 2 ||p - pi||_1^2,
the Donsker-Varadhan identity with Pinsker's bound.

Of two streams of rewards each has its Q, target and discount; pi and V are those of Q = Q_e + Q_i.
What regularises is paid in the environment's stream alone,
  V_e = E_pi Q_e - tau KL(pi || ref),    V_i = E_pi Q_i,    V = V_e + V_i.
Source: Schulman, Chen, Abbeel 2017 (arXiv 1704.06440), sections 2 and 3; two streams as Agent57
(Badia et al. 2020, arXiv 2003.13350), section 3.1, whose greedy policy is here pi.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents.heads import heads, policies
from agents.heads.action_values import ActionValues, of_streams
from agents.heads.policies import Policy
from agents.objectives.objective import (
  VALUES,
  Context,
  Loss,
  Objective,
  Stream,
  View,
  across,
  priority,
  sum_of,
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
    surplus: [..., A], tau log(pi / ref).
  """

  q: jax.Array
  value: jax.Array
  log_policy: jax.Array
  kl: jax.Array
  surplus: jax.Array


def soft(q: jax.Array, tau: jax.Array | float, log_reference: jax.Array) -> Soft:
  """Reads action values [..., A] at a temperature, with log ref [A] or [..., A]."""
  value = tau * jax.nn.logsumexp(log_reference + q / tau, axis=-1)
  surplus = q - value[..., None]
  log_ratio = surplus / tau
  log_policy = log_reference + log_ratio
  kl = jnp.sum(jnp.exp(log_policy) * log_ratio, axis=-1)
  return Soft(q, value, log_policy, kl, surplus)


def chosen(values: jax.Array, action: jax.Array) -> jax.Array:
  """values [..., A] of the actions int32 [...]."""
  return jnp.take_along_axis(values, action[..., None], axis=-1)[..., 0]


def action_value(view: View, action: jax.Array) -> jax.Array:
  """`Objective.value` of those over action values: Q of what was done."""
  return chosen(of_streams(view.out)[0], action)


def n_step_returns(
  rewards: jax.Array,
  discounts: jax.Array,
  values: jax.Array,
  mask: jax.Array,
  n: int,
  joins: jax.Array | None = None,
) -> jax.Array:
  """The discounted sum of the next n rewards and the value after them.

  At the end of the trajectory or of an episode it bootstraps earlier.

  Args:
    rewards, discounts: [T, B], of the transition t -> t+1.
    values: [T+1, B].
    mask: bool [T, B], False for LAST -> FIRST, where the value itself is returned.
    n: number of rewards.
    joins: bool [T, B], see `Stream`: the return goes on there as if the entry were left out; None
      for nowhere.

  Returns:
    [T, B].
  """
  chex.assert_equal_shape([rewards, discounts, values[1:], mask])

  def joined(values: jax.Array) -> jax.Array:
    return values if joins is None else across(values, joins)

  returns = joined(values)
  for _ in range(n):
    step = jnp.where(mask, rewards + discounts * returns[1:], values[:-1])
    returns = joined(jnp.concatenate([step, values[-1:]]))
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


def mask_of(policy: Policy) -> Callable[[Any, jax.Array], Any]:
  """`agents.objectives.objective.Objective.mask` of those over action values."""
  mask = policy.mask
  assert mask is not None
  return lambda out, legal: jax.tree.map(lambda q: mask(q, legal), out)


class Duals(NamedTuple):
  """Log temperature, a scalar, and logits [A] of the reference policy."""

  log_temperature: jax.Array
  reference: jax.Array


class Case(NamedTuple):
  """What a soft objective learns from, of one stream of rewards.

  Attributes:
    online: the online view as what is learned reads it, [T+1, B]; of two streams see `learned`.
    target: the target view as targets read it, [T+1, B]; of two streams see `shares`.
    tau: the temperature.
    trajectory: [T+1, B].
    action: int32 [T, B], what was done.
    rewards, discounts: [T, B].
    joins: bool [T, B], see `Stream`; None where there is one stream, which joins nothing.
  """

  online: Soft
  target: Soft
  tau: jax.Array
  trajectory: Trajectory
  action: jax.Array
  rewards: jax.Array
  discounts: jax.Array
  joins: jax.Array | None


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
    targets: case -> [T, B], which get no gradient; they read the target view.
    terms: (case, targets) -> Terms; they read the online view.
  """

  config: ActionValuesConfig
  targets: Callable[[Case], jax.Array]
  terms: Callable[[Case, jax.Array], Terms]


def read(duals: Duals, q: jax.Array) -> Soft:
  """Action values [..., A] at the temperature and by the reference of the duals, both of the
  actions that are allowed."""
  tau, reference = jax.lax.stop_gradient((jnp.exp(duals.log_temperature), duals.reference))
  return soft(q, tau, jax.nn.log_softmax(policies.masked(reference, policies.possible(q))))


def whole(duals: Duals, view: View) -> Soft:
  """The reading of a view's action values, the sum of all streams'."""
  return read(duals, sum_of(of_streams(view.out)))


def shares(duals: Duals, view: View) -> tuple[Soft, ...]:
  """What each stream has of the reading of their sum: V_e and V_i, which add up to V.

  The policy is the same in each; KL and surplus are the first's alone.
  """
  both, values = whole(duals, view), of_streams(view.out)
  if len(values) == 1:
    return (both,)
  expected = [jnp.sum(jnp.exp(both.log_policy) * q, axis=-1) for q in values]
  tau = jax.lax.stop_gradient(jnp.exp(duals.log_temperature))
  first = both._replace(q=values[0], value=expected[0] - tau * both.kl)
  nothing = jax.tree.map(jnp.zeros_like, both)
  return first, *(
    nothing._replace(q=q, value=value, log_policy=both.log_policy)
    for q, value in zip(values[1:], expected[1:], strict=True)
  )


def learned(duals: Duals, view: View) -> tuple[Soft, ...]:
  """Each stream's action values read alone, for losses: by the policy of the others as reference.

  With ref_k = ref exp(sum of the other Q / tau), normalised and without gradient, the policy that
  Q_k then makes is that of the sum, and its gradients are by Q_k alone.
  """
  values = of_streams(view.out)
  if len(values) == 1:
    return (whole(duals, view),)
  tau, reference = jax.lax.stop_gradient((jnp.exp(duals.log_temperature), duals.reference))
  out = []
  for k, q in enumerate(values):
    others = jax.lax.stop_gradient(sum_of(x for i, x in enumerate(values) if i != k))
    logits = policies.masked(reference, policies.possible(q)) + others / tau
    out.append(soft(q, tau, jax.nn.log_softmax(logits)))
  return tuple(out)


def make_cases(
  duals: Duals,
  online: View,
  target: View,
  trajectory: Trajectory,
  streams: tuple[Stream, ...],
) -> list[Case]:
  """What a soft objective learns from, of two views: a case a stream."""
  return [
    Case(
      now,
      then,
      jax.lax.stop_gradient(jnp.exp(duals.log_temperature)),
      trajectory,
      trajectory.action[:-1],
      rewards.reward,
      rewards.discount,
      rewards.joins if len(streams) > 1 else None,
    )
    for now, then, rewards in zip(
      learned(duals, online), shares(duals, target), streams, strict=True
    )
  ]


def prepare(
  own: SoftObjective,
  duals: Duals,
  online: View,
  target: View,
  trajectory: Trajectory,
  streams: tuple[Stream, ...],
  key: jax.Array,
) -> list[tuple[Stream, jax.Array]]:
  """Of each stream the rewards and the targets, [T, B]."""
  del key
  cases = make_cases(duals, online, target, trajectory, streams)
  return [(rewards, own.targets(case)) for rewards, case in zip(streams, cases, strict=True)]


def loss(
  own: SoftObjective,
  duals: Duals,
  online: View,
  trajectory: Trajectory,
  prepared: list[tuple[Stream, jax.Array]],
  weights: jax.Array,
  key: jax.Array,
) -> Loss:
  """See `agents.objectives.objective.Objective.loss`."""
  del key
  config, streams = own.config, tuple(rewards for rewards, _ in prepared)
  cases = make_cases(duals, online, online, trajectory, streams)
  terms = [own.terms(case, targets) for case, (_, targets) in zip(cases, prepared, strict=True)]
  error = priority([x.error for x in terms])
  now = jax.tree.map(lambda x: x[:-1], whole(duals, online))
  probabilities = jax.lax.stop_gradient(jnp.exp(now.log_policy))
  entropy = -jnp.sum(probabilities * now.log_policy, axis=-1)
  total = weighted_mean(sum_of(x.loss for x in terms), weights)
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
    "td_error": weighted_mean(jnp.abs(error), counted),
    "entropy": weighted_mean(entropy, counted),
    "kl_reference": weighted_mean(now.kl, counted),
    "tau": cases[0].tau,
  }
  values = [case.target.value[:-1] for case in cases]
  metrics |= {n: weighted_mean(x, counted) for n, x in zip(VALUES, values, strict=False)}
  return Loss(total, metrics, error)


def build(
  config: ActionValuesConfig,
  context: Context,
  targets: Callable[[Case], jax.Array],
  terms: Callable[[Case, jax.Array], Terms],
  separates: bool = True,
) -> Objective:
  """A soft objective: what is common to all, around targets and a loss of its own.

  Args:
    config: settings.
    context: what it is built for.
    targets, terms: see `SoftObjective`.
    separates: whether it can learn two values.

  Raises:
    ValueError: if the actions are not discrete.
  """
  policy = discrete_policy(context.actions)
  count = policy.size
  own = SoftObjective(config, targets, terms)
  return Objective(
    policy,
    heads.build(
      lambda: ActionValues(count, context.hidden, context.layers, context.shared.streams),
      context.compute,
    ),
    lambda duals, out: read(duals, sum_of(of_streams(out))).log_policy,
    lambda: Duals(jnp.log(jnp.float32(config.temperature)), jnp.zeros((count,), jnp.float32)),
    functools.partial(prepare, own),
    functools.partial(loss, own),
    target_decay=config.target_decay or None,
    replays=True,
    set_temperature=lambda duals, temperature: duals._replace(log_temperature=jnp.log(temperature)),
    separates=separates,
    value=action_value,
    mask=mask_of(policy),
    expected_return=lambda duals, out: read(duals, sum_of(of_streams(out))).value,
  )
