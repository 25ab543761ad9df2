"""Heads: what an agent reads from a belief."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax


class Heads(NamedTuple):
  """Pure functions of the heads' parameters.

  Attributes:
    init: (key, belief [B, H]) -> params.
    apply: (params, belief [..., H]) -> what they say there, arrays [..., ...].
  """

  init: Callable[[jax.Array, jax.Array], Any]
  apply: Callable[[Any, jax.Array], Any]


def build(module: Callable[[], Callable[[jax.Array], Any]]) -> Heads:
  """Heads of a Haiku module."""
  return Heads(*hk.without_apply_rng(hk.transform(lambda belief: module()(belief))))


# A last layer that starts small lets the first policy hardly depend on the belief, close to uniform
# where actions are discrete (Andrychowicz et al. 2020, arXiv 2006.05990, section 3.2).
SMALL = hk.initializers.VarianceScaling(0.01)


class PolicyAndValue(NamedTuple):
  """A policy's parameters [..., P] and a value [...]."""

  policy: jax.Array
  value: jax.Array


class PolicyValue(hk.Module):
  """A policy's parameters and a value from beliefs [..., H].

  Each goes through `layers` hidden layers of its own, or none where `hidden` is 0.
  """

  def __init__(self, policy_size: int, hidden: int, layers: int, name: str = "heads"):
    super().__init__(name=name)
    self.policy_size = policy_size
    self.sizes = [hidden] * layers if hidden else []

  def __call__(self, belief: jax.Array) -> PolicyAndValue:
    policy = value = belief
    if self.sizes:
      policy = hk.nets.MLP(self.sizes, activate_final=True, name="policy_hidden")(belief)
      value = hk.nets.MLP(self.sizes, activate_final=True, name="value_hidden")(belief)
    parameters = hk.Linear(self.policy_size, w_init=SMALL, name="policy")(policy)
    return PolicyAndValue(parameters, hk.Linear(1, name="value")(value)[..., 0])


class ActionValues(hk.Module):
  """The values Q [..., A] of A actions from beliefs [..., H], by `layers` hidden layers."""

  def __init__(self, actions: int, hidden: int, layers: int, name: str = "heads"):
    super().__init__(name=name)
    self.actions = actions
    self.sizes = [hidden] * layers if hidden else []

  def __call__(self, belief: jax.Array) -> jax.Array:
    hidden = belief
    if self.sizes:
      hidden = hk.nets.MLP(self.sizes, activate_final=True, name="q_hidden")(belief)
    return hk.Linear(self.actions, w_init=SMALL, name="q")(hidden)
