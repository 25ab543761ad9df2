"""Heads: what an agent reads from a belief."""

from __future__ import annotations

import haiku as hk
import jax


class PolicyValue(hk.Module):
  """A policy's parameters [..., P] and a value [...] from beliefs [..., H].

  Each goes through `layers` hidden layers of its own, or none where `hidden` is 0. The policy's
  last layer starts small, so that the first policy hardly depends on the belief, and is close to
  uniform where actions are discrete (Andrychowicz et al. 2020, arXiv 2006.05990, section 3.2).
  """

  def __init__(self, policy_size: int, hidden: int, layers: int, name: str = "heads"):
    super().__init__(name=name)
    self.policy_size = policy_size
    self.sizes = [hidden] * layers if hidden else []

  def __call__(self, belief: jax.Array) -> tuple[jax.Array, jax.Array]:
    small = hk.initializers.VarianceScaling(0.01)
    policy = value = belief
    if self.sizes:
      policy = hk.nets.MLP(self.sizes, activate_final=True, name="policy_hidden")(belief)
      value = hk.nets.MLP(self.sizes, activate_final=True, name="value_hidden")(belief)
    parameters = hk.Linear(self.policy_size, w_init=small, name="policy")(policy)
    return parameters, hk.Linear(1, name="value")(value)[..., 0]
