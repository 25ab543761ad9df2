"""The optimiser contract, and how each part of an agent's parameters gets its own."""

from __future__ import annotations

from typing import Any

import optax

from envs.registry import Choice, Registry

registry = Registry("optimiser", "agents.optimisers")
"""Builders: (own settings, learning rate) -> optax.GradientTransformation."""


def build(
  choice: Choice,
  learning_rate: float,
  dual_learning_rate: float,
  max_gradient_norm: float,
  labels: Any,
) -> optax.GradientTransformation:
  """The chosen optimiser for networks, Adam at another step size for dual variables.

  Args:
    choice: of `registry`.
    learning_rate, dual_learning_rate: step sizes.
    max_gradient_norm: the norm that gradients are scaled down to.
    labels: `networks`, `duals` or `bonus` for each part of the parameters. A bonus's own networks
      are clipped apart, so as not to scale down the policy's gradient.
  """
  networks = optax.chain(
    optax.clip_by_global_norm(max_gradient_norm), registry.build(choice, learning_rate)
  )
  duals = optax.adam(dual_learning_rate)
  return optax.multi_transform({"networks": networks, "duals": duals, "bonus": networks}, labels)
