"""cdat: the rate of each step from the loss's curvature along it, on the edge of stability.

With u the step that another optimiser makes at a rate of 1, g the loss's gradient and H its
Hessian, the rate is

  eta = sigma n / d,   n = max(-g . u, 0),   d = |u . H u| + epsilon,

the moving averages of n and of d taken apart. For a quadratic loss a step of sigma 1 falls
furthest along u, whatever u is, and one of sigma 2 stays at its height: sigma near 2 keeps a long
run where its sharpness times the rate is 2. The learning rate is not the step's size, only a bound:
`max_rate` times it, which a schedule moves.
Source: Roulet, Agarwala, Grill, Swirszcz, Blondel, Pedregosa 2024 (arXiv 2407.06183).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from agents.optimisers.optimiser import Whole, registry


@dataclasses.dataclass(frozen=True)
class CDATConfig:
  """Curvature dynamics aware tuning. Sources name its paper."""

  base: str = "adam"
  """What makes the direction, another of `rarebird list optimisers`."""
  sigma: float = 1.0
  """1 falls furthest along the direction, 2 is on the edge; less where batches are small (ours:
  .5 at a batch of 8)."""
  decay: float = 0.9
  """Of the moving averages of n and of d (.9, recalled); 0 for none."""
  max_rate: float = 10.0
  """The largest rate, in learning rates (ours)."""
  epsilon: float = 1e-12
  """What is added to the curvature (ours)."""

  def __post_init__(self) -> None:
    for name in ("sigma", "max_rate", "epsilon"):
      if not getattr(self, name) > 0.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0.")
    if not 0.0 <= self.decay < 1.0:
      raise ValueError(f"decay is {self.decay}; it must lie in [0, 1).")


@registry.register("cdat", CDATConfig, summary="rates from the curvature along each step")
def build(settings: CDATConfig, learning_rate: float) -> Whole:
  if settings.base == "cdat":
    raise ValueError("base is 'cdat'; the direction is another optimiser's, such as adam.")
  base = registry.build(registry.choice(settings.base), learning_rate)
  if isinstance(base, Whole):
    raise ValueError(f"base is {settings.base!r}, which scales steps itself; take adam.")
  return Whole(base, scale_by_cdat(*(getattr(settings, name) for name in SCALED)))


SCALED = ("sigma", "decay", "max_rate", "epsilon")


class CDATState(NamedTuple):
  """float32 scalars.

  Attributes:
    numerator, denominator: moving averages of n and d, both from 0, so that their bias cancels.
    rate: of the last step.
    no_descent, negative: moving averages of how often n was 0, and u . H u below it.
  """

  numerator: jax.Array
  denominator: jax.Array
  rate: jax.Array
  no_descent: jax.Array
  negative: jax.Array

  def metrics(self) -> dict[str, jax.Array]:
    """What a run logs."""
    return {
      "cdat_rate": self.rate,
      "cdat_no_descent": self.no_descent,
      "cdat_negative_curvature": self.negative,
    }


SHOWN = 0.99
"""Decay of the shares that are logged."""


def scale_by_cdat(
  sigma: float = 1.0, decay: float = 0.9, max_rate: float = float("inf"), epsilon: float = 1e-12
) -> optax.GradientTransformationExtraArgs:
  """Scales steps by the rate.

  Its `update` takes steps of a rate of 1, and needs `gradient`, the loss's own in their structure,
  and `hvp`, which is asked for the curvature along them. With `learning_rate`, by which they are
  multiplied later, the steps that come out are divided by it, and the rate is at most `max_rate`
  times it.
  """

  def update(
    updates: Any,
    state: CDATState,
    params: Any = None,
    *,
    gradient: Any,
    hvp: Any,
    learning_rate: jax.Array | float = 1.0,
    **others: Any,
  ) -> tuple[Any, CDATState]:
    del params, others
    descent, curvature = -_dot(gradient, updates), _dot(updates, hvp(updates))
    average = functools.partial(_average, decay)
    numerator = average(state.numerator, jnp.maximum(descent, 0.0))
    denominator = average(state.denominator, jnp.abs(curvature) + epsilon)
    rate = jnp.minimum(sigma * numerator / denominator, max_rate * learning_rate)
    factor = rate / jnp.maximum(learning_rate, jnp.finfo(jnp.float32).tiny)
    new = CDATState(
      numerator,
      denominator,
      rate,
      _average(SHOWN, state.no_descent, (descent <= 0.0).astype(jnp.float32)),
      _average(SHOWN, state.negative, (curvature < 0.0).astype(jnp.float32)),
    )
    return jax.tree.map(lambda x: factor * x, updates), new

  def init(params: Any) -> CDATState:
    del params
    return CDATState(*(jnp.float32(0.0) for _ in CDATState._fields))

  return optax.GradientTransformationExtraArgs(init, update)


def _average(decay: float, before: jax.Array, now: jax.Array) -> jax.Array:
  return decay * before + (1.0 - decay) * now


def _dot(a: Any, b: Any) -> jax.Array:
  return optax.tree.vdot(a, b)
