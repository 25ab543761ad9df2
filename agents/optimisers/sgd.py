"""sgd: plain descent, for comparing gradients."""

from __future__ import annotations

import optax

from agents.optimisers.optimiser import registry


@registry.register("sgd", summary="plain descent, for comparing gradients")
def build(settings: None, learning_rate: float) -> optax.GradientTransformation:
  del settings
  return optax.sgd(learning_rate)
