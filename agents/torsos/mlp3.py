"""mlp3: three hidden layers on the flattened observation."""

from __future__ import annotations

from agents.torsos.mlp import MLP, MLPConfig
from agents.torsos.torso import registry


@registry.register("mlp3", MLPConfig)
class MLP3(MLP):
  """Three hidden layers with ReLU (Craftax_Baselines' networks of bonuses)."""

  LAYERS = 3
