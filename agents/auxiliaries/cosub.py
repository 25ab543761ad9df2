"""cosub: two submodels of the encoder, some branches left out of each, teach one another.

Formula: with f_1 and f_2 the forecasts h(w_t) of two encodings of o_t, each with residual branches
left out at random, y the target encoder's latent of o_{t+g}, l(a, b) = |n(a) - n(b)|^2, n the
division by the norm, and sg the stop of the gradient,
  (1 - lambda) (l(f_1, y) + l(f_2, y)) / 2 + lambda (l(f_1, sg f_2) + l(f_2, sg f_1)) / 2.
Source: cosub (Touvron et al. 2022, arXiv 2212.04884), equation 2, there of class scores; here of
forecasts, which need no labels.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.auxiliaries import heads, pairs, views
from agents.auxiliaries.auxiliary import (
  Auxiliary,
  AuxiliaryConfig,
  Context,
  Inputs,
  check_at_least,
  check_share,
  registry,
)
from agents.auxiliaries.byol_image import between
from agents.heads.heads import Heads


@dataclasses.dataclass(frozen=True)
class CosubConfig(AuxiliaryConfig):
  """Submodels that teach one another."""

  teach: float = 0.5
  """lambda, share of what the submodels tell each other (cosub: .5)."""
  gap: int = 1
  """g, steps ahead that are forecast (ours)."""
  hidden: int = 128
  """Units of the predictor's hidden layer (ours)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_share(self, "teach")
    check_at_least(self, 0, "gap")
    check_at_least(self, 1, "hidden")


@registry.register("cosub", CosubConfig, summary="two submodels of the encoder teach one another")
def build(settings: CosubConfig, context: Context) -> Auxiliary:
  context.check_window("cosub", "gap", settings.gap)
  if not context.stochastic:
    raise ValueError(
      "auxiliary 'cosub' needs residual branches that are left out at random; give --torso resnet"
      " --torso.stochastic-depth .1, or xcit, resmlp or patch_convnet in its place."
    )
  net = heads.build(settings.hidden, context.latent_size, context.compute)
  return Auxiliary(
    lambda key: (net.init(key, jnp.zeros((1, context.latent_size))), ()),
    functools.partial(loss, settings, net),
  )


def mutual(
  one: jax.Array, other: jax.Array, target: jax.Array, teach: float
) -> tuple[jax.Array, jax.Array]:
  """The loss of forecasts [..., N] of two submodels, and how far they lie apart, [...] each."""
  told = (between(one, target) + between(other, target)) / 2.0
  apart = (between(one, other) + between(other, one)) / 2.0
  return (1.0 - teach) * told + teach * apart, apart


def loss(
  settings: CosubConfig, net: Heads, params: Any, state: Any, inputs: Inputs, key: jax.Array
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has no state."""
  trajectory = inputs.trajectory
  twice = views.stacked(trajectory.observation, trajectory.observation)
  # In one pass: every row of it has branches of its own.
  one, other = net.apply(params, inputs.encode(twice, key))
  target = inputs.encode_target(pairs.later(trajectory.observation, settings.gap))
  errors, apart = mutual(one, other, target, settings.teach)
  weights = pairs.positives(trajectory.first, inputs.weights, settings.gap)
  return pairs.average(errors, weights), {"cosub_apart": pairs.average(apart, weights)}, state
