"""linear: one linear layer on the flattened observation."""

from __future__ import annotations

import jax

from agents.torsos.torso import Torso, registry


@registry.register("linear")
class Linear(Torso):
  """One linear layer on the flattened observation (Craftax_Baselines' recurrent agent: of 512)."""

  def features(self, x: jax.Array) -> jax.Array:
    return x
