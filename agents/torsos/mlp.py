"""mlp: two hidden layers on the flattened observation."""

from __future__ import annotations

import haiku as hk
import jax

from agents.torsos.torso import Torso, registry


@registry.register("mlp")
class MLP(Torso):
  """Two hidden layers of 256 with ReLU on the flattened observation."""

  LAYERS = 2

  def features(self, x: jax.Array) -> jax.Array:
    hidden = hk.nets.MLP([256] * self.LAYERS, activate_final=True)
    return hidden(x.reshape(x.shape[0], -1))
