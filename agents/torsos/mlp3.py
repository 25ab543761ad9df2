"""mlp3: three hidden layers on the flattened observation."""

from __future__ import annotations

from agents.torsos.mlp import MLP
from agents.torsos.torso import registry


@registry.register("mlp3")
class MLP3(MLP):
  """Three hidden layers of 256 with ReLU (Craftax_Baselines' networks of bonuses)."""

  LAYERS = 3
