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
Steps are proportional to the learning rate, which is 1 here: what it is in the run is traced, and
multiplied in later.
"""


def build(
  choice: Choice, dual_learning_rate: float, max_gradient_norm: float, labels: Any
) -> optax.GradientTransformationExtraArgs:
  """The chosen optimiser for networks, of a learning rate of 1; see `build_around`."""
  return build_around(registry.build(choice, 1.0), dual_learning_rate, max_gradient_norm, labels)


def build_around(
  optimiser: optax.GradientTransformation,
  dual_learning_rate: float,
  max_gradient_norm: float,
  labels: Any,
) -> optax.GradientTransformationExtraArgs:
  """An optimiser for networks, Adam at another step size for dual variables.

  Args:
    optimiser: of networks; its steps become what they are to be by `scaled`.
    dual_learning_rate: step size of dual variables.
    max_gradient_norm: the norm that gradients are scaled down to.
    labels: `networks`, `duals`, `bonus` or `auxiliaries` for each part of the parameters. Networks
      of a bonus's and of an auxiliary loss's own are clipped apart, so as not to scale down the
      policy's gradient.
  """
  networks = optax.chain(optax.clip_by_global_norm(max_gradient_norm), optimiser)
  kinds = dict.fromkeys(("networks", "bonus", "auxiliaries"), networks)
  parts = optax.multi_transform(kinds | {"duals": optax.adam(dual_learning_rate)}, labels)
  return optax.with_extra_args_support(parts)


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
