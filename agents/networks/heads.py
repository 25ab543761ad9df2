"""Heads: what an agent reads from a belief."""

from __future__ import annotations

import haiku as hk
import jax


class PolicyValue(hk.Module):
  """Logits [..., A] and a value [...], each through one hidden layer, from beliefs [..., H].

  The logits' last layer starts small, so that the first policy is close to uniform
  (Andrychowicz et al. 2020, arXiv 2006.05990, section 3.2).
  """

  def __init__(self, num_actions: int, hidden: int, name: str = "heads"):
    super().__init__(name=name)
    self.num_actions = num_actions
    self.hidden = hidden

  def __call__(self, belief: jax.Array) -> tuple[jax.Array, jax.Array]:
    small = hk.initializers.VarianceScaling(0.01)
    policy = jax.nn.relu(hk.Linear(self.hidden, name="policy_hidden")(belief))
    value = jax.nn.relu(hk.Linear(self.hidden, name="value_hidden")(belief))
    logits = hk.Linear(self.num_actions, w_init=small, name="policy")(policy)
    return logits, hk.Linear(1, name="value")(value)[..., 0]
