"""The optimiser contract, and how each part of an agent's parameters gets its own."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from envs.registry import Choice, Registry

registry = Registry("optimiser", "agents.optimisers")
"""Builders: (own settings, learning rate) -> optax.GradientTransformation, or `Whole`.

Of optax's extra arguments, its `update` is given `value`, the loss; `value_fn`, parameters -> loss;
`hvp`, a direction in the structure of all parameters -> the product with the loss's Hessian; and
`learning_rate`, float32, of networks. Steps are proportional to the learning rate, which is 1 here,
as that of dual variables is: what they are in the run is traced, and multiplied in later.

A state, or a part of one, may have two methods: `metrics() -> scalars by name`, which are logged;
and `evaluated(params) -> params`, of what acts in place of the parameters that learn.
"""


class Whole(NamedTuple):
  """An optimiser that scales the steps of all networks by one number.

  Attributes:
    direction: makes the steps, of each part of the parameters apart.
    rate: scales them; its `update` is told all steps at once, 0 of dual variables, and beside the
      other extra arguments `gradient`, the loss's own in their structure.
  """

  direction: optax.GradientTransformation
  rate: optax.GradientTransformationExtraArgs


def build(
  choice: Choice, max_gradient_norm: float, labels: Any
) -> optax.GradientTransformationExtraArgs:
  """The chosen optimiser for networks, of a learning rate of 1; see `build_around`."""
  built = registry.build(choice, 1.0)
  if not isinstance(built, Whole):
    return build_around(built, max_gradient_norm, labels)
  return _scaled_together(
    build_around(built.direction, max_gradient_norm, labels), built.rate, labels
  )


def _scaled_together(
  direction: optax.GradientTransformationExtraArgs,
  rate: optax.GradientTransformationExtraArgs,
  labels: Any,
) -> optax.GradientTransformationExtraArgs:
  def init(params: Any) -> tuple[Any, Any]:
    return direction.init(params), rate.init(params)

  def update(updates: Any, state: Any, params: Any = None, **told: Any) -> tuple[Any, Any]:
    steps, inner = direction.update(updates, state[0], params, **told)
    zeros = jax.tree.map(jnp.zeros_like, steps)
    networks = _chosen(labels, zeros, steps)
    networks, outer = rate.update(networks, state[1], params, gradient=updates, **told)
    return _chosen(labels, steps, networks), (inner, outer)

  return optax.GradientTransformationExtraArgs(init, update)


def _chosen(labels: Any, of_duals: Any, of_others: Any) -> Any:
  """Parts of the parameters, a NamedTuple, of the one tree or the other."""
  parts = zip(labels, of_duals, of_others, strict=True)
  return type(of_others)(*(dual if label == "duals" else other for label, dual, other in parts))


def _with(method: str, state: Any) -> list[Any]:
  """The parts of an optimiser's state that have a method of this name."""

  def has(part: Any) -> bool:
    return hasattr(part, method)

  return [part for part in jax.tree.leaves(state, is_leaf=has) if has(part)]


def metrics(state: Any) -> dict[str, jax.Array]:
  """What an optimiser of this state logs, scalars by name."""
  return {name: x for part in _with("metrics", state) for name, x in part.metrics().items()}


def evaluated(state: Any, params: Any) -> Any:
  """What acts where these parameters learn, by an optimiser of this state."""
  for part in _with("evaluated", state):
    params = part.evaluated(params)
  return params


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
