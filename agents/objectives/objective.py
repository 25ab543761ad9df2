"""The objective contract: how policy and value improve, given rewards."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from dm_env import specs

from agents.agent import Metrics
from agents.heads.heads import Heads
from agents.heads.policies import Policy
from agents.precision import Compute
from agents.trajectory import Trajectory
from envs.registry import Registry


@dataclasses.dataclass(frozen=True)
class ObjectiveConfig:
  """What all objectives have in common."""

  discount: float = 0.99
  """gamma, a step (BYOL-Explore: .99 to .999; CleanRL: .99)."""
  value_weight: float = 1.0
  """Weight of the value loss, 1/2 (target - value)^2, of those with a value head (V-MPO, equation
  1: 1; CleanRL: .5)."""
  entropy_weight: float = 0.01
  """Weight of the policy's entropy, nats, of those with a policy head (V-MPO: 0; CleanRL: .01)."""

  value_streams: Literal["sum", "separate"] = "sum"
  """`sum` adds intrinsic rewards to those of the environment; `separate` learns a value of each, by
  a discount of its own, and adds their advantages (RND, arXiv 1810.12894, section 2.3) or action
  values (Agent57, arXiv 2003.13350, section 3.1)."""
  intrinsic_discount: float = 0.99
  """gamma of intrinsic rewards where they are separate (RND: .99, beside .999)."""
  intrinsic_episodic: bool = False
  """Whether their returns, where they are separate, end with the episode (RND, section 2.3: no)."""

  def __post_init__(self) -> None:
    for name in ("discount", "intrinsic_discount"):
      if not 0.0 <= getattr(self, name) <= 1.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1].")

  @property
  def streams(self) -> int:
    """How many values there are to learn."""
    return 2 if self.value_streams == "separate" else 1


class Context(NamedTuple):
  """What an objective is built for.

  Attributes:
    actions: spec of the actions.
    shared: settings that all objectives have.
    hidden, layers: units and number of the hidden layers of a head.
    compute: in what the products of heads are computed; see agents/precision.py.
  """

  actions: specs.Array
  shared: ObjectiveConfig
  hidden: int
  layers: int
  compute: Compute = "float32"


class View(NamedTuple):
  """What one set of parameters makes of a trajectory.

  Attributes:
    heads: the parameters of the heads.
    beliefs: [T+1, B, H], what the heads read; behind it the bonus's condition, if it has one.
    out: what the heads say there, arrays [T+1, B, ...].
    imagined: what they say of the open loop's beliefs b_{t,k}, arrays [T, K, B, ...]; () unless the
      objective `reads_imagined`, and of the target view.
  """

  heads: Any
  beliefs: jax.Array
  out: Any
  imagined: Any = ()


class Stream(NamedTuple):
  """Rewards that have a value of their own.

  Attributes:
    reward: float32 [T, B], of the transition t -> t+1.
    discount: float32 [T, B], gamma times the environment's discount on arriving at t+1.
    joins: bool [T, B], where an episode's last entry t is left for the first of the next one and
      the return goes on there: what t is worth is what t+1 is worth.
  """

  reward: jax.Array
  discount: jax.Array
  joins: jax.Array


def episodic(reward: jax.Array, gamma: float | jax.Array, trajectory: Trajectory) -> Stream:
  """The stream of rewards [T, B] whose returns end with the episode."""
  joins = jnp.zeros_like(trajectory.mask)
  return Stream(reward, gamma * trajectory.discount[1:], joins)


def continuing(reward: jax.Array, gamma: float | jax.Array, trajectory: Trajectory) -> Stream:
  """The stream of rewards [T, B] whose returns go on across the ends of episodes, terminations as
  well (RND, arXiv 1810.12894, section 2.3)."""
  return Stream(reward, gamma * jnp.ones_like(reward), ~trajectory.mask)


def across(values: jax.Array, joins: jax.Array) -> jax.Array:
  """Values [T+1, B] in which, where a stream joins two episodes, the last entry of the one has that
  of the first of the other."""
  return jnp.concatenate([jnp.where(joins, values[1:], values[:-1]), values[-1:]])


class Loss(NamedTuple):
  """A loss.

  Attributes:
    total: scalar, without the value loss and the policy's entropy.
    metrics: scalars.
    errors: [T, B], of what sets the priority of an item in a replay; None of an objective that
      does not replay.
    entropy: scalar, the policy's, of an objective that has `entropy_weight` times it taken off its
      loss; None of one that does not.
    value: scalar, the value loss of an objective that has `value_weight` times it added; None of
      one that does not.
  """

  total: jax.Array
  metrics: Metrics
  errors: jax.Array | None = None
  entropy: jax.Array | None = None
  value: jax.Array | None = None


class Objective(NamedTuple):
  """An objective, with the heads that it trains on beliefs.

  A call of `learn` prepares once, with the parameters that it finds, then takes
  `epochs * minibatches` gradient steps; a minibatch is whole columns of the batch, so that
  sequences stay in one piece. The trajectory's extras hold what the behaviour policy did: its
  parameters `policy` [T+1, B, P] and its `sample` [T+1, B, ...]; see agents/heads/policies.py.
  With a planner these are what the planner made of the policy, and the rewards are those of the
  policy so improved. Ratios by them (V-trace, PPO, soft Retrace) are right; V-MPO's KL and PPO's
  clip then hold the policy near what was planned, from the first gradient step on; n-step targets
  and the advantages of soft_pg, which nothing corrects, are of the planned policy; pcl takes any.
  What a planner leaves for learning is `plan`.

  Attributes:
    policy: the family of policies that acts.
    heads: what is read from a belief.
    parameters: (duals, out) -> parameters [..., P] of the policy.
    init: () -> dual variables, trained with the networks at a step size of their own.
    prepare: (duals, online view, target view, trajectory, streams, key) -> targets, arrays
      [T, B, ...], which get no gradient. The streams are a tuple of one, all rewards together, or
      of two, the environment's and the intrinsic ones, weighted.
    loss: (duals, online view, trajectory, targets, weights [T, B], key) -> Loss. The weights are 0
      for what teaches nothing: no transition, or burn-in; else 1, or less by importance sampling.
    target_decay: decay of the moving average of the parameters that makes the target view, a
      gradient step a time; None for an objective that takes the online view.
    replays: whether it may learn from a replay.
    learns: whether its loss trains anything; one that does not needs other losses beside it.
    taught: whether it then has a policy all the same, which such losses teach.
    epochs: how often a call of `learn` goes through its batch.
    minibatches: into how many parts of equal size each epoch divides the batch, at random.
    behaviour_period: calls of `learn` between two copies of the parameters to the acting policy.
    separates: whether it can learn two values, of two streams.
    set_temperature: (duals, temperature) -> duals with that temperature; None for one without.
    value: (view, actions [T+1, B, *A]) -> float32 [T+1, B], the return that is expected of the
      action there; by one that has state values alone, of the step; by one with several critics,
      the first's; of two streams, of the environment's rewards. None for one that has neither.
    explore: (parameters [..., P], share of the run that is done, float32) -> parameters of what
      acts while it explores; None for an objective whose policy explores by itself. Where nobody
      told how long the run is, the share is 1.
    mask: (out, legal bool [..., A]) -> out, in which logits and values of actions that are not
      allowed are `agents.heads.policies.IMPOSSIBLE`; views are masked before anything reads them.
      None for one that obeys no masks.
    expected_return: (duals, out) -> float32 [...], what the policy is expected to be paid from
      there on, of both streams; planners read it. None for one that has no values of states.
    reads_imagined: whether its heads learn on imagined beliefs, `View.imagined`. It then learns
      what a planner plans, and is refused without one.
    expected_bonus: out -> float32 [...], what the bonus is expected to pay, weighted, on arriving
      there; planners read it. None for one that does not learn it.
    reanalyses: share of a batch's trajectories whose `extras["plan"]["target"]` is planned anew
      before targets are made.
  """

  policy: Policy
  heads: Heads
  parameters: Callable[[Any, Any], jax.Array]
  init: Callable[[], Any]
  prepare: Callable[[Any, View, View, Trajectory, tuple[Stream, ...], jax.Array], Any]
  loss: Callable[[Any, View, Trajectory, Any, jax.Array, jax.Array], Loss]
  target_decay: float | None = None
  replays: bool = False
  learns: bool = True
  taught: bool = False
  epochs: int = 1
  minibatches: int = 1
  behaviour_period: int = 1
  separates: bool = False
  set_temperature: Callable[[Any, jax.Array], Any] | None = None
  value: Callable[[View, jax.Array], jax.Array] | None = None
  mask: Callable[[Any, jax.Array], Any] | None = None
  expected_return: Callable[[Any, Any], jax.Array] | None = None
  explore: Callable[[jax.Array, jax.Array], jax.Array] | None = None
  reads_imagined: bool = False
  expected_bonus: Callable[[Any], jax.Array] | None = None
  reanalyses: float = 0.0


def weighted_mean(x: jax.Array, weights: jax.Array) -> jax.Array:
  """The sum of weighted `x` [T, B] over the number of weights above 0; 0 if there are none."""
  return jnp.sum(x * weights) / jnp.maximum(jnp.sum(weights > 0.0), 1)


VALUES = ("value", "intrinsic_value")
"""What metrics call the values of the streams."""


def sum_of(terms: Iterable[jax.Array]) -> jax.Array:
  """The sum of one term or more."""
  first, *others = terms
  return sum(others, first)


def priority(errors: Sequence[jax.Array]) -> jax.Array:
  """The error [T, B] of an item: of one stream its own, of several the sum of their sizes (ours),
  for errors of the sum may cancel out."""
  return errors[0] if len(errors) == 1 else sum_of(jnp.abs(x) for x in errors)


def state_value(view: View, action: jax.Array) -> jax.Array:
  """`Objective.value` of those whose heads are `agents.heads.heads.PolicyAndValue`."""
  del action
  return view.out.value


def values_together(duals: Any, out: Any) -> jax.Array:
  """`Objective.expected_return` of the same."""
  del duals
  return sum_of(out.values)


registry = Registry("objective", "agents.objectives")
"""Builders: (own settings, Context) -> Objective."""
