"""mlp: two hidden layers on the flattened observation."""

from __future__ import annotations

import dataclasses

import haiku as hk
import jax

from agents.torsos.torso import Torso, registry


@dataclasses.dataclass(frozen=True)
class MLPConfig:
  """Hidden layers."""

  hidden: int = 256
  """Units of each (Acme's networks for control: 256)."""


@registry.register("mlp", MLPConfig)
class MLP(Torso):
  """Two hidden layers with ReLU on the flattened observation."""

  LAYERS = 2

  def features(self, x: jax.Array) -> jax.Array:
    hidden = hk.nets.MLP([self.settings.hidden] * self.LAYERS, activate_final=True)
    return hidden(x.reshape(x.shape[0], -1))
