"""muon: momentum whose matrices are made orthogonal before each step; Adam for all else.

Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon; `optax.contrib.muon`.
"""

from __future__ import annotations

import dataclasses

import optax
from optax import contrib

from agents.optimisers.optimiser import registry


@dataclasses.dataclass(frozen=True)
class MuonConfig:
  """Muon. Sources name its post."""

  beta: float = 0.95
  """Decay of the momentum (.95)."""
  steps: int = 5
  """Newton-Schulz iterations (5)."""
  weight_decay: float = 0.0
  """Share of each weight that a step takes off, times the learning rate (0)."""

  def __post_init__(self) -> None:
    if not 0.0 <= self.beta < 1.0:
      raise ValueError(f"beta is {self.beta}; it must lie in [0, 1).")
    if self.steps < 1:
      raise ValueError(f"steps is {self.steps}; it must be at least 1.")


@registry.register("muon", MuonConfig, summary="orthogonal momentum of matrices, Adam for the rest")
def build(settings: MuonConfig, learning_rate: float) -> optax.GradientTransformation:

  return contrib.muon(
    learning_rate, ns_steps=settings.steps, beta=settings.beta, weight_decay=settings.weight_decay
  )
