"""Heads: what an agent reads from a belief."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from agents.heads.policies import Policy


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


def policy_mask(policy: Policy) -> Callable[[Any, jax.Array], Any] | None:
  """`agents.objectives.objective.Objective.mask` of those whose heads are a `PolicyAndValue`."""
  mask = policy.mask
  if mask is None:
    return None
  return lambda out, legal: out._replace(policy=mask(out.policy, legal))


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


class PolicyAndCritics(NamedTuple):
  """A policy, and two critics that can be asked about any action.

  Attributes:
    heads: their parameters, and what the policy says: its parameters [..., P].
    critics: (params, belief [..., H], action features [..., F]) -> values [..., 2].
  """

  heads: Heads
  critics: Callable[[Any, jax.Array, jax.Array], jax.Array]


def policy_and_critics(
  policy_size: int, features: int, hidden: int, layers: int
) -> PolicyAndCritics:
  """A policy and twin critics, each with `layers` hidden layers of its own."""
  sizes = [hidden] * layers if hidden else []

  def module() -> Any:
    body = hk.Sequential(
      [
        *([hk.nets.MLP(sizes, activate_final=True, name="policy_hidden")] if sizes else []),
        hk.Linear(policy_size, w_init=SMALL, name="policy"),
      ]
    )
    twins = [hk.nets.MLP([*sizes, 1], name=f"q{i}") for i in range(2)]

    def critics(belief: jax.Array, action: jax.Array) -> jax.Array:
      inputs = jnp.concatenate([belief, action], axis=-1)
      return jnp.concatenate([twin(inputs) for twin in twins], axis=-1)

    def init(belief: jax.Array) -> None:
      body(belief)
      critics(belief, jnp.zeros((*belief.shape[:-1], features)))

    return init, (body, critics)

  init, (policy, critics) = hk.without_apply_rng(hk.multi_transform(module))
  return PolicyAndCritics(Heads(init, policy), critics)
