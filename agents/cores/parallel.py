"""Parallel cores: those that read a whole sequence at once, and act with the same numbers by steps.

Their state may be of any rank, and is not kept for every step: `unroll` gives the beliefs over time
and the state after the last. The open loop, which sees actions only, is a GRU that starts from the
belief.
"""

from __future__ import annotations

from typing import Any

import jax

from agents.cores.core import Core
from agents.cores.gru import GRU


class Parallel(Core):
  """The contract of a parallel core of `size` units.

  In place of `step` and `recurrence` it has `unroll`; a step is an unroll of one. What it stores,
  and so what a replay keeps of it, is its state: that is bounded by its settings, however long an
  episode is.
  """

  def unroll(self, projected: jax.Array, first: jax.Array, state: Any) -> tuple[jax.Array, Any]:
    """Beliefs [T, B, size], and the state after the last step.

    Nothing before a FIRST reaches what follows it, not even by a product with 0.

    Args:
      projected: [T, B, G], what `project` makes of the inputs.
      first: bool [T, B], an episode begins here.
      state: before the first step, arrays [B, ...].
    """
    raise NotImplementedError

  @staticmethod
  def output(state: jax.Array) -> jax.Array:
    return GRU.output(state)

  @classmethod
  def open_loop(cls) -> type[Core]:
    return GRU
