"""A policy and a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax

from agents.heads.heads import SMALL
from agents.heads.policies import Policy


class PolicyAndValue(NamedTuple):
  """A policy's parameters [..., P], a value [...], that of intrinsic rewards, or (), and what a
  bonus is expected to pay on arriving there, [...] or ()."""

  policy: jax.Array
  value: jax.Array
  intrinsic_value: Any = ()
  bonus: Any = ()

  @property
  def values(self) -> tuple[jax.Array, ...]:
    """Of each stream of rewards."""
    both = (self.value, self.intrinsic_value)
    return both[:1] if isinstance(self.intrinsic_value, tuple) else both


def policy_mask(policy: Policy) -> Callable[[Any, jax.Array], Any] | None:
  """`agents.objectives.objective.Objective.mask` of those whose heads are a `PolicyAndValue`."""
  mask = policy.mask
  if mask is None:
    return None
  return lambda out, legal: out._replace(policy=mask(out.policy, legal))


class PolicyValue(hk.Module):
  """A policy's parameters and a value from beliefs [..., H].

  Each goes through `layers` hidden layers of its own, or none where `hidden` is 0; the values of
  two streams of rewards, and where `bonus` says so what a bonus pays, share theirs.
  """

  def __init__(
    self,
    policy_size: int,
    hidden: int,
    layers: int,
    streams: int = 1,
    name: str = "heads",
    bonus: bool = False,
  ):
    super().__init__(name=name)
    self.policy_size, self.streams, self.bonus = policy_size, streams, bonus
    self.sizes = [hidden] * layers if hidden else []

  def __call__(self, belief: jax.Array) -> PolicyAndValue:
    policy = value = belief
    if self.sizes:
      policy = hk.nets.MLP(self.sizes, activate_final=True, name="policy_hidden")(belief)
      value = hk.nets.MLP(self.sizes, activate_final=True, name="value_hidden")(belief)
    parameters = hk.Linear(self.policy_size, w_init=SMALL, name="policy")(policy)
    first = hk.Linear(1, name="value")(value)[..., 0]
    out = PolicyAndValue(parameters, first)
    if self.streams > 1:
      second = hk.Linear(1, name="intrinsic_value")(value)[..., 0]
      out = out._replace(intrinsic_value=second)
    if self.bonus:
      out = out._replace(bonus=hk.Linear(1, w_init=SMALL, name="bonus")(value)[..., 0])
    return out
