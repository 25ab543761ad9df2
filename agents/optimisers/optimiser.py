"""The optimiser of an agent's parameters, each part of them with its own."""

from __future__ import annotations

from typing import Any

import optax

from agents.latent.config import AgentConfig


def build(config: AgentConfig, labels: Any) -> optax.GradientTransformation:
  """Adam or plain descent for networks, Adam at another step size for dual variables.

  Args:
    config: step sizes and the norm that gradients are scaled down to.
    labels: `networks`, `duals`, `bonus` or `auxiliaries` for each part of the parameters. Networks
      of a bonus's and of an auxiliary loss's own are clipped apart, so as not to scale down the
      policy's gradient.
  """
  descent = (
    optax.sgd(config.learning_rate)
    if config.optimiser == "sgd"
    else optax.adam(config.learning_rate, eps=config.adam_epsilon)
  )
  networks = optax.chain(optax.clip_by_global_norm(config.max_gradient_norm), descent)
  duals = optax.adam(config.dual_learning_rate)
  kinds = dict.fromkeys(("networks", "bonus", "auxiliaries"), networks)
  return optax.multi_transform(kinds | {"duals": duals}, labels)
