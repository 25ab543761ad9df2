"""Settings of the agent `byol_explore`."""

from __future__ import annotations

import dataclasses
from typing import Literal

from agents.bonuses.payment import PaymentConfig
from agents.bonuses.settings import BonusSettings
from agents.objectives import ObjectiveConfig
from agents.objectives.ppo import PPOConfig
from agents.objectives.vmpo import VMPOConfig
from agents.world_model.world_model import WorldModelConfig


@dataclasses.dataclass(frozen=True)
class ByolExploreConfig:
  """BYOL-Explore. Sources name the paper, arXiv 2206.08332, unless another is given."""

  bonus: str = "byol_explore"
  """What pays for exploring; `none` gives the plain agent. See `rarebird list bonuses`."""
  auxiliary: Literal["byol", "none"] = "none"
  """`byol` trains the world model also where the bonus does not need it."""
  byol_weight: float = 1.0
  """Weight of the BYOL loss beside the objective's (1)."""
  objective: str = "vmpo"
  """How policy and value improve. See `rarebird list objectives`."""
  learning_rate: float = 5e-4
  """Adam's step size (1e-4, for runs a thousand times longer)."""
  adam_epsilon: float = 1e-7
  """Adam's epsilon."""
  max_gradient_norm: float = 10.0
  """Gradients are scaled down to this global norm."""
  head_hidden: int = 256
  """Units of the hidden layer of the policy head and of the value head; 0 for none."""
  head_layers: int = 1
  """Hidden layers of each head (Craftax_Baselines: 3 of 512, without an encoder before them)."""
  unroll_length: int = 16
  """T, transitions in a trajectory."""
  batch_size: int = 32
  """B, trajectories in an update; on_device, the environments stepped side by side."""
  world_model: WorldModelConfig = dataclasses.field(default_factory=WorldModelConfig)
  returns: ObjectiveConfig = dataclasses.field(default_factory=ObjectiveConfig)
  vmpo: VMPOConfig = dataclasses.field(default_factory=VMPOConfig)
  ppo: PPOConfig = dataclasses.field(default_factory=PPOConfig)
  payment: PaymentConfig = dataclasses.field(default_factory=PaymentConfig)
  bonuses: BonusSettings = dataclasses.field(default_factory=BonusSettings)

  def __post_init__(self) -> None:
    for name in ("unroll_length", "batch_size"):
      if getattr(self, name) < 1:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
