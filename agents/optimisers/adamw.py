"""adamw: Adam, with a decay of the weights that does not go through its moments.

Source: Loshchilov & Hutter 2019 (arXiv 1711.05101); `optax.adamw`.
"""

from __future__ import annotations

import dataclasses

import optax

from agents.optimisers.optimiser import registry


@dataclasses.dataclass(frozen=True)
class AdamWConfig:
  """Adam with decoupled weight decay."""

  epsilon: float = 1e-7
  """What is added to the root of the second moment (Adam, algorithm 1: 1e-8)."""
  weight_decay: float = 1e-4
  """Share of each weight that a step takes off, times the learning rate (optax: 1e-4)."""

  def __post_init__(self) -> None:
    if self.weight_decay < 0.0:
      raise ValueError(f"weight_decay is {self.weight_decay}; it must be at least 0.")


@registry.register("adamw", AdamWConfig, summary="Adam with decoupled weight decay")
def build(settings: AdamWConfig, learning_rate: float) -> optax.GradientTransformation:
  return optax.adamw(learning_rate, eps=settings.epsilon, weight_decay=settings.weight_decay)
