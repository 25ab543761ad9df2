"""The optimiser of an agent's parameters, each part of them with its own."""

from __future__ import annotations

from typing import Any

import jax
import optax

from agents.latent.config import AgentConfig


def build(config: AgentConfig, labels: Any) -> optax.GradientTransformation:
  """Adam or plain descent for networks, Adam at another step size for dual variables.

  Steps of networks are for a learning rate of 1; `scaled` makes them what they are to be.

  Args:
    config: dual variables' step size and the norm that gradients are scaled down to.
    labels: `networks`, `duals`, `bonus` or `auxiliaries` for each part of the parameters. Networks
      of a bonus's and of an auxiliary loss's own are clipped apart, so as not to scale down the
      policy's gradient.
  """
  descent = (
    optax.sgd(1.0) if config.optimiser == "sgd" else optax.adam(1.0, eps=config.adam_epsilon)
  )
  networks = optax.chain(optax.clip_by_global_norm(config.max_gradient_norm), descent)
  duals = optax.adam(config.dual_learning_rate)
  kinds = dict.fromkeys(("networks", "bonus", "auxiliaries"), networks)
  return optax.multi_transform(kinds | {"duals": duals}, labels)


def scaled(steps: Any, labels: Any, learning_rate: jax.Array) -> Any:
  """Steps of this learning rate; those of dual variables have one of their own already.

  Args:
    steps: of the optimiser, a NamedTuple of the parts of the parameters.
    labels: of the parts.
    learning_rate: float32.
  """
  return type(steps)(
    *(
      part if label == "duals" else jax.tree.map(lambda x: x * learning_rate, part)
      for part, label in zip(steps, labels, strict=True)
    )
  )
