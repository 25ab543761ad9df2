"""The optimiser contract, and how each part of an agent's parameters gets its own."""

from __future__ import annotations

from typing import Any

import jax
import optax

from envs.registry import Choice, Registry

registry = Registry("optimiser", "agents.optimisers")
"""Builders: (own settings, learning rate) -> optax.GradientTransformation.

Of optax's extra arguments, its `update` is given `value`, the loss; `value_fn`, parameters -> loss;
and `hvp`, a direction in the structure of all parameters -> the product with the loss's Hessian.
Steps are proportional to the learning rate, which is 1 here, as that of dual variables is: what
they are in the run is traced, and multiplied in later.
"""


def build(
  choice: Choice, max_gradient_norm: float, labels: Any
) -> optax.GradientTransformationExtraArgs:
  """The chosen optimiser for networks, of a learning rate of 1; see `build_around`."""
  return build_around(registry.build(choice, 1.0), max_gradient_norm, labels)


def build_around(
  optimiser: optax.GradientTransformation, max_gradient_norm: float, labels: Any
) -> optax.GradientTransformationExtraArgs:
  """An optimiser for networks, Adam for dual variables; steps become what they are to be by
  `scaled`.

  Args:
    optimiser: of networks.
    max_gradient_norm: the norm that gradients are scaled down to.
    labels: `networks`, `duals`, `bonus` or `auxiliaries` for each part of the parameters. Networks
      of a bonus's and of an auxiliary loss's own are clipped apart, so as not to scale down the
      policy's gradient.
  """
  networks = optax.chain(optax.clip_by_global_norm(max_gradient_norm), optimiser)
  kinds = dict.fromkeys(("networks", "bonus", "auxiliaries"), networks)
  parts = optax.multi_transform(kinds | {"duals": optax.adam(1.0)}, labels)
  return optax.with_extra_args_support(parts)


def scaled(steps: Any, labels: Any, learning_rate: jax.Array, dual_learning_rate: jax.Array) -> Any:
  """Steps of these learning rates, of networks and of dual variables.

  Args:
    steps: of the optimiser, a NamedTuple of the parts of the parameters.
    labels: of the parts.
    learning_rate, dual_learning_rate: float32.
  """

  def times(part: Any, rate: jax.Array) -> Any:
    return jax.tree.map(lambda x: x * rate, part)

  return type(steps)(
    *(
      times(part, dual_learning_rate if label == "duals" else learning_rate)
      for part, label in zip(steps, labels, strict=True)
    )
  )
