"""adam: steps of the size of the learning rate, whatever the gradient's scale.

Source: Kingma & Ba 2014 (arXiv 1412.6980); `optax.adam`.
"""

from __future__ import annotations

import dataclasses

import optax

from agents.optimisers.optimiser import registry


@dataclasses.dataclass(frozen=True)
class AdamConfig:
  """Adam."""

  epsilon: float = 1e-7
  """What is added to the root of the second moment (Adam, algorithm 1: 1e-8)."""


@registry.register("adam", AdamConfig, summary="Adam: steps that do not depend on gradients' scale")
def build(settings: AdamConfig, learning_rate: float) -> optax.GradientTransformation:
  return optax.adam(learning_rate, eps=settings.epsilon)
