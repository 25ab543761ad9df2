"""The objective contract: how policy and value improve, given rewards."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from agents.agent import Metrics, Trajectory
from envs.registry import Registry


@dataclasses.dataclass(frozen=True)
class ObjectiveConfig:
  """What all objectives have in common."""

  discount: float = 0.99
  """gamma, a step (BYOL-Explore: .99 to .999; CleanRL: .99)."""
  value_weight: float = 1.0
  """Weight of the value loss, 1/2 (target - value)^2 (V-MPO, equation 1: 1; CleanRL: .5)."""
  entropy_weight: float = 0.01
  """Weight of the policy's entropy, nats (V-MPO: 0; CleanRL: .01)."""

  def __post_init__(self) -> None:
    if not 0.0 <= self.discount <= 1.0:
      raise ValueError(f"discount is {self.discount}; it must lie in [0, 1].")


class Objective(NamedTuple):
  """An objective over the heads' outputs at beliefs: `p`, the parameters of the policy, and values.

  A call of `learn` prepares once, with the parameters that it finds, then takes
  `epochs * minibatches` gradient steps; a minibatch is whole columns of the batch, so that
  sequences stay in one piece. The trajectory's extras hold what the behaviour policy did: its
  parameters `policy` [T+1, B, P] and its `sample` [T+1, B, ...]; see agents/networks/policies.py.

  Attributes:
    init: () -> params of its own (dual variables), trained with the agent's.
    prepare: (p [T+1, B, P], values [T+1, B], trajectory, rewards [T, B]) -> targets, arrays
      [T, B, ...], which get no gradient. The rewards hold the bonus.
    loss: (params, p [T+1, B, P], values [T+1, B], trajectory, targets) -> (scalar, metrics).
    epochs: how often a call of `learn` goes through its batch.
    minibatches: into how many parts of equal size each epoch divides the batch, at random.
    behaviour_period: calls of `learn` between two copies of the parameters to the acting policy.
  """

  init: Callable[[], Any]
  prepare: Callable[[jax.Array, jax.Array, Trajectory, jax.Array], Any]
  loss: Callable[[Any, jax.Array, jax.Array, Trajectory, Any], tuple[jax.Array, Metrics]]
  epochs: int = 1
  minibatches: int = 1
  behaviour_period: int = 1


registry = Registry("objective")
"""Builders: (own settings, ObjectiveConfig, agents.networks.policies.Policy) -> Objective."""
