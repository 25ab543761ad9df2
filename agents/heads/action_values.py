"""A value of each action."""

from __future__ import annotations

import haiku as hk
import jax

from agents.heads.heads import SMALL


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
