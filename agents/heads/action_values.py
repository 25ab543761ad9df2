"""A value of each action, or two, of two streams of rewards.

Two streams have networks of their own, and act by the sum, Q = Q_e + Q_i (Agent57, Badia et al.
2020, arXiv 2003.13350, section 3.1); its beta is here part of the intrinsic reward.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import haiku as hk
import jax

from agents.heads.heads import SMALL


class TwoActionValues(NamedTuple):
  """Values [..., A] of the environment's rewards, and of the intrinsic ones, weighted."""

  q: jax.Array
  intrinsic_q: jax.Array


def of_streams(out: Any) -> tuple[jax.Array, ...]:
  """The action values [..., A] of each stream of rewards, of what the heads say."""
  return tuple(out) if isinstance(out, TwoActionValues) else (out,)


class ActionValues(hk.Module):
  """The values of A actions from beliefs [..., H], each by `layers` hidden layers.

  One stream's are an array Q [..., A], those of two `TwoActionValues`.
  """

  def __init__(self, actions: int, hidden: int, layers: int, streams: int = 1, name: str = "heads"):
    super().__init__(name=name)
    self.actions, self.streams = actions, streams
    self.sizes = [hidden] * layers if hidden else []

  def __call__(self, belief: jax.Array) -> Any:
    q = self._values(belief, "q")
    return q if self.streams == 1 else TwoActionValues(q, self._values(belief, "intrinsic_q"))

  @hk.transparent
  def _values(self, belief: jax.Array, name: str) -> jax.Array:
    hidden = belief
    if self.sizes:
      hidden = hk.nets.MLP(self.sizes, activate_final=True, name=f"{name}_hidden")(belief)
    return hk.Linear(self.actions, w_init=SMALL, name=name)(hidden)
