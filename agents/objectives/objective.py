"""The objective contract: how policy and value improve, given rewards."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from dm_env import specs

from agents.agent import Metrics
from agents.heads.heads import Heads
from agents.heads.policies import Policy
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

  def __post_init__(self) -> None:
    if not 0.0 <= self.discount <= 1.0:
      raise ValueError(f"discount is {self.discount}; it must lie in [0, 1].")


class Context(NamedTuple):
  """What an objective is built for.

  Attributes:
    actions: spec of the actions.
    shared: settings that all objectives have.
    hidden, layers: units and number of the hidden layers of a head.
  """

  actions: specs.Array
  shared: ObjectiveConfig
  hidden: int
  layers: int


class View(NamedTuple):
  """What one set of parameters makes of a trajectory.

  Attributes:
    heads: the parameters of the heads.
    beliefs: [T+1, B, H].
    out: what the heads say there, arrays [T+1, B, ...].
  """

  heads: Any
  beliefs: jax.Array
  out: Any


class Loss(NamedTuple):
  """A loss.

  Attributes:
    total: scalar.
    metrics: scalars.
    errors: [T, B], of what sets the priority of an item in a replay; None of an objective that
      does not replay.
  """

  total: jax.Array
  metrics: Metrics
  errors: jax.Array | None = None


class Objective(NamedTuple):
  """An objective, with the heads that it trains on beliefs.

  A call of `learn` prepares once, with the parameters that it finds, then takes
  `epochs * minibatches` gradient steps; a minibatch is whole columns of the batch, so that
  sequences stay in one piece. The trajectory's extras hold what the behaviour policy did: its
  parameters `policy` [T+1, B, P] and its `sample` [T+1, B, ...]; see agents/heads/policies.py.

  Attributes:
    policy: the family of policies that acts.
    heads: what is read from a belief.
    parameters: (duals, out) -> parameters [..., P] of the policy that explores.
    init: () -> dual variables, trained with the networks at a step size of their own.
    prepare: (duals, online view, target view, trajectory, rewards [T, B], key) -> targets, arrays
      [T, B, ...], which get no gradient. The rewards hold the bonus.
    loss: (duals, online view, trajectory, targets, weights [T, B], key) -> Loss. The weights are 0
      for what teaches nothing: no transition, or burn-in; else 1, or less by importance sampling.
    target_decay: decay of the moving average of the parameters that makes the target view, a
      gradient step a time; None for an objective that takes the online view.
    replays: whether it may learn from a replay.
    epochs: how often a call of `learn` goes through its batch.
    minibatches: into how many parts of equal size each epoch divides the batch, at random.
    behaviour_period: calls of `learn` between two copies of the parameters to the acting policy.
    value: (view, actions [T+1, B, *A]) -> float32 [T+1, B], the return that is expected of the
      action there; by one that has state values alone, of the step; by one with several critics,
      the first's. None for one that has neither.
    mask: (out, legal bool [..., A]) -> out, in which logits and values of actions that are not
      allowed are `agents.heads.policies.IMPOSSIBLE`; views are masked before anything reads them.
      None for one that obeys no masks.
  """

  policy: Policy
  heads: Heads
  parameters: Callable[[Any, Any], jax.Array]
  init: Callable[[], Any]
  prepare: Callable[[Any, View, View, Trajectory, jax.Array, jax.Array], Any]
  loss: Callable[[Any, View, Trajectory, Any, jax.Array, jax.Array], Loss]
  target_decay: float | None = None
  replays: bool = False
  epochs: int = 1
  minibatches: int = 1
  behaviour_period: int = 1
  value: Callable[[View, jax.Array], jax.Array] | None = None
  mask: Callable[[Any, jax.Array], Any] | None = None


def weighted_mean(x: jax.Array, weights: jax.Array) -> jax.Array:
  """The sum of weighted `x` [T, B] over the number of weights above 0; 0 if there are none."""
  return jnp.sum(x * weights) / jnp.maximum(jnp.sum(weights > 0.0), 1)


def state_value(view: View, action: jax.Array) -> jax.Array:
  """`Objective.value` of those whose heads are `agents.heads.heads.PolicyAndValue`."""
  del action
  return view.out.value


registry = Registry("objective", "agents.objectives")
"""Builders: (own settings, Context) -> Objective."""
