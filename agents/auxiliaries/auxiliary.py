"""The auxiliary contract: a loss beside the objective's, which shapes what the networks learn.

An agent has any number of them at once, each with a weight. A method is one file of this folder,
which registers itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from agents.agent import HasSpecs, Metrics
from agents.precision import Compute
from agents.trajectory import Trajectory
from agents.world_model.forecasts import Forecasts
from envs.registry import Registry


@dataclasses.dataclass(frozen=True)
class AuxiliaryConfig:
  """What all auxiliary losses have in common; the settings of each derive from it."""

  weight: float = 1.0
  """Weight of the loss beside the objective's (BYOL-Explore: 1)."""


class Inputs(NamedTuple):
  """What an auxiliary loss is a function of, with the parameters that are being trained.

  Attributes:
    trajectory: [T+1, B], its observations as the networks read them.
    latents: [T+1, B, N], of the online encoder.
    beliefs: [T+1, B, H], of the closed loop.
    forecasts: of the world model; None unless an auxiliary or a bonus asked for them.
    encode: observations [..., *O] -> latents [..., N], through which gradients go.
    encode_target: the same by the target encoder, its moving average, through which none go.
    labels: what else is known of each entry, arrays [T+1, B, ...] by name.
    weights: float32 [T+1, B], what each entry counts for; 0 during burn-in.
  """

  trajectory: Trajectory
  latents: jax.Array
  beliefs: jax.Array
  forecasts: Forecasts | None
  encode: Callable[[Any], jax.Array]
  encode_target: Callable[[Any], jax.Array]
  labels: dict[str, jax.Array]
  weights: jax.Array


class Outcomes(NamedTuple):
  """What steps are predicted to bring, float32 [...] each.

  Attributes:
    reward: the environment's.
    discount: the environment's, in [0, 1]: 0 where the episode terminates.
  """

  reward: jax.Array
  discount: jax.Array


def _stays(params: Any, state: Any, share: jax.Array) -> Any:
  del params, share
  return state


class Auxiliary(NamedTuple):
  """An auxiliary loss.

  Attributes:
    init: key -> (params, state). The agent's optimiser trains the parameters; no gradient reaches
      the state.
    loss: (params, state, Inputs, key) -> (loss, metrics, state), scalars and the state after the
      batch. Called in every gradient step; its gradient reaches the networks and `params`.
    follow: (params, state, share) -> state, after every step of the optimiser, with the parameters
      it made: for moving averages. `share`, float32 in [0, 1], is how much of the run is done, for
      schedules. By default nothing follows.
    reads_forecasts: whether `Inputs.forecasts` must be there.
    outcomes: (params, beliefs [..., H]) -> Outcomes of the steps that led to these, imagined ones
      as well; planners read it. None of one that learns no such thing.
  """

  init: Callable[[jax.Array], tuple[Any, Any]]
  loss: Callable[[Any, Any, Inputs, jax.Array], tuple[jax.Array, Metrics, Any]]
  follow: Callable[[Any, Any, jax.Array], Any] = _stays
  reads_forecasts: bool = False
  outcomes: Callable[[Any, jax.Array], Outcomes] | None = None


class Context(NamedTuple):
  """What an auxiliary loss is built for.

  Attributes:
    env: the environment's specs.
    latent_size, belief_size: N and H of the world model.
    horizon: K, how many steps ahead the world model forecasts.
    compute: in what the products of its networks are computed; see agents/precision.py.
  """

  env: HasSpecs
  latent_size: int
  belief_size: int
  horizon: int
  compute: Compute = "float32"


registry = Registry("auxiliary", "agents.auxiliaries")
"""Builders: (own settings, Context) -> Auxiliary."""
