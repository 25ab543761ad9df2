"""A value of each action."""

from __future__ import annotations

import haiku as hk
import jax

from agents.heads.heads import SMALL


class ActionValues(hk.Module):
  """The values Q [..., A] of A actions from beliefs [..., H], by `layers` hidden layers.

  `normalised`, each hidden layer is normalised (LayerNorm, arXiv 1607.06450) before its ReLU, or,
  where there is none, the belief.
  """

  def __init__(
    self, actions: int, hidden: int, layers: int, normalised: bool = False, name: str = "heads"
  ):
    super().__init__(name=name)
    self.actions, self.normalised = actions, normalised
    self.sizes = [hidden] * layers if hidden else []

  def __call__(self, belief: jax.Array) -> jax.Array:
    hidden = belief
    if self.normalised:
      for n, size in enumerate(self.sizes):
        hidden = hk.Linear(size, name=f"q_hidden_{n}")(hidden)
        hidden = jax.nn.relu(hk.LayerNorm(-1, True, True, name=f"q_norm_{n}")(hidden))
      if not self.sizes:
        hidden = hk.LayerNorm(-1, True, True, name="q_norm")(hidden)
    elif self.sizes:
      hidden = hk.nets.MLP(self.sizes, activate_final=True, name="q_hidden")(belief)
    return hk.Linear(self.actions, w_init=SMALL, name="q")(hidden)
