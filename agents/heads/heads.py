"""The contract of heads: what an agent reads from a belief."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax

from agents.precision import Compute, lowered


class Heads(NamedTuple):
  """Pure functions of the heads' parameters.

  Attributes:
    init: (key, belief [B, H]) -> params.
    apply: (params, belief [..., H]) -> what they say there, arrays [..., ...].
  """

  init: Callable[[jax.Array, jax.Array], Any]
  apply: Callable[[Any, jax.Array], Any]


def build(module: Callable[[], Callable[[jax.Array], Any]], compute: Compute = "float32") -> Heads:
  """Heads of a Haiku module, and in what their products are computed."""
  function = lowered(lambda belief: module()(belief), compute)
  return Heads(*hk.without_apply_rng(hk.transform(function)))


# A last layer that starts small lets the first policy hardly depend on the belief, close to uniform
# where actions are discrete (Andrychowicz et al. 2020, arXiv 2006.05990, section 3.2).
SMALL = hk.initializers.VarianceScaling(0.01)
