"""schedule_free: no schedule, for what acts is the average of where the steps went.

The gradient is taken at y, between z, to which the steps are made, and x, their weighted average;
x acts and is evaluated.
Source: Defazio et al. 2024 (arXiv 2405.15682); `optax.contrib.schedule_free`.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax import contrib

from agents.optimisers.optimiser import registry


@dataclasses.dataclass(frozen=True)
class ScheduleFreeConfig:
  """Schedule-free learning. Sources name its paper."""

  base: Literal["adam", "sgd"] = "adam"
  """What makes the steps; Adam without its momentum, in whose place the average is."""
  beta: float = 0.9
  """How near to the average the gradient is taken (.9)."""
  weight_power: float = 2.0
  """Of the largest learning rate so far, a step's weight in the average (2)."""

  def __post_init__(self) -> None:
    if not 0.0 < self.beta < 1.0:
      raise ValueError(f"beta is {self.beta}; it must lie in (0, 1).")


@registry.register(
  "schedule_free", ScheduleFreeConfig, summary="the average of all steps acts, without a schedule"
)
def build(settings: ScheduleFreeConfig, learning_rate: float) -> optax.GradientTransformation:
  base = optax.adam(1.0, b1=0.0, eps=EPSILON) if settings.base == "adam" else optax.sgd(1.0)

  def method(rate: jax.Array | float) -> optax.GradientTransformationExtraArgs:
    steps = optax.chain(base, optax.scale(rate))
    return contrib.schedule_free(steps, rate, settings.beta, settings.weight_power)

  def init(params: Any) -> Averaged:
    return Averaged(method(1.0).init(params))

  def update(
    updates: Any,
    state: Averaged,
    params: Any = None,
    *,
    learning_rate: jax.Array | float = learning_rate,
    **others: Any,
  ) -> tuple[Any, Averaged]:
    del others
    change, inner = method(learning_rate).update(updates, state.inner, params)
    # z moves by the true rate, which the agent multiplies by once more.
    smallest = jnp.finfo(jnp.float32).tiny
    return jax.tree.map(lambda x: x / jnp.maximum(learning_rate, smallest), change), Averaged(inner)

  return optax.GradientTransformationExtraArgs(init, update)


EPSILON = 1e-7
"""As of `agents.optimisers.adam`."""


class Averaged(NamedTuple):
  """optax's state, from which the average is read."""

  inner: Any

  def evaluated(self, params: Any) -> Any:
    """x, of parameters y; what another optimiser trains stays as it is."""
    beta = self.inner.b1

    def average(z: Any, y: Any) -> Any:
      return y if isinstance(z, optax.MaskedNode) else (y - (1.0 - beta) * z) / beta

    return jax.tree.map(
      average, self.inner.z, params, is_leaf=lambda x: isinstance(x, optax.MaskedNode)
    )
