"""The auxiliary contract: a loss beside the objective's, which shapes what the networks learn.

An agent has any number of them at once, each with a weight. A method is one file of this folder,
which registers itself.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from agents.agent import HasSpecs, Metrics, Teacher
from agents.precision import Compute
from agents.trajectory import Trajectory
from agents.world_model.forecasts import Forecasts
from envs.registry import Registry


@dataclasses.dataclass(frozen=True)
class AuxiliaryConfig:
  """What all auxiliary losses have in common; the settings of each derive from it."""

  weight: float = 1.0
  """Weight of the loss beside the objective's (BYOL-Explore: 1)."""

  def __post_init__(self) -> None:
    if not (math.isfinite(self.weight) and self.weight >= 0.0):
      raise ValueError(f"weight is {self.weight}; it must be a number of at least 0.")


def check_at_least(settings: Any, least: float, *names: str) -> None:
  """Raises ValueError unless these settings are numbers of at least `least`."""
  for name in names:
    value = getattr(settings, name)
    if not (math.isfinite(value) and value >= least):
      raise ValueError(f"{name} is {value}; it must be at least {least}.")


def check_above_0(settings: Any, *names: str) -> None:
  """Raises ValueError unless these settings are numbers above 0."""
  for name in names:
    value = getattr(settings, name)
    if not (math.isfinite(value) and value > 0.0):
      raise ValueError(f"{name} is {value}; it must be above 0.")


def check_share(settings: Any, *names: str) -> None:
  """Raises ValueError unless these settings lie in [0, 1]."""
  for name in names:
    if not 0.0 <= getattr(settings, name) <= 1.0:
      raise ValueError(f"{name} is {getattr(settings, name)}; it must lie in [0, 1].")


class Inputs(NamedTuple):
  """What an auxiliary loss is a function of, with the parameters that are being trained.

  Attributes:
    trajectory: [T+1, B], its observations as the networks read them.
    latents: [T+1, B, N], of the online encoder.
    beliefs: [T+1, B, H], of the closed loop.
    forecasts: of the world model; None unless an auxiliary or a bonus asked for them.
    encode: observations [..., *O] -> latents [..., N], through which gradients go; with a key
      after them the encoder is as in training, with branches left out at random, of each
      observation others.
    encode_target: the same by the target encoder, its moving average, through which none go.
    labels: what else is known of each entry, arrays [T+1, B, ...] by name: `class_label`, int32
      [T+1, B], where the environment shows that leaf.
    weights: float32 [T+1, B], what each entry counts for; 0 during burn-in.
    policy: [T+1, B, P], parameters of the policy that learns, see agents/heads/policies.py.
  """

  trajectory: Trajectory
  latents: jax.Array
  beliefs: jax.Array
  forecasts: Forecasts | None
  encode: Callable[..., jax.Array]
  encode_target: Callable[[Any], jax.Array]
  labels: dict[str, jax.Array]
  weights: jax.Array
  policy: jax.Array | None = None


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
    reads_teacher: whether it learns from `Context.teacher`.
    shapes_policy: whether it is the policy alone that it trains, `Inputs.policy`.
    outcomes: (params, beliefs [..., H]) -> Outcomes of the steps that led to these, imagined ones
      as well; planners read it. None of one that learns no such thing.
  """

  init: Callable[[jax.Array], tuple[Any, Any]]
  loss: Callable[[Any, Any, Inputs, jax.Array], tuple[jax.Array, Metrics, Any]]
  follow: Callable[[Any, Any, jax.Array], Any] = _stays
  reads_forecasts: bool = False
  reads_teacher: bool = False
  shapes_policy: bool = False
  outcomes: Callable[[Any, jax.Array], Outcomes] | None = None


class Context(NamedTuple):
  """What an auxiliary loss is built for.

  Attributes:
    env: the environment's specs.
    latent_size, belief_size: N and H of the world model.
    horizon: K, how many steps ahead the world model forecasts.
    unroll_length: T, transitions in a trajectory.
    batch_size: B, trajectories in a gradient step.
    classes: how many classes the label may be of; 0 where the environment shows none.
    stochastic: whether the encoder leaves out branches at random in training.
    normalised: whether observations are normalised by their running moments.
    compute: in what the products of its networks are computed; see agents/precision.py.
    teacher: a trained agent to learn from; None for none.
    stored: whether batches are drawn at random from a dataset, so that they tell little of one
      another.
  """

  env: HasSpecs
  latent_size: int
  belief_size: int
  horizon: int
  unroll_length: int
  batch_size: int
  classes: int = 0
  stochastic: bool = False
  normalised: bool = False
  compute: Compute = "float32"
  teacher: Teacher | None = None
  stored: bool = False

  @property
  def rows(self) -> int:
    """Transitions in a gradient step."""
    return self.unroll_length * self.batch_size

  def check_window(self, method: str, setting: str, steps: int) -> None:
    """Raises ValueError, one line, unless a trajectory is as long as a window of so many steps."""
    if steps > self.unroll_length:
      raise ValueError(
        f"auxiliary {method!r}: {setting} asks for {steps} steps, and an unroll has"
        f" {self.unroll_length}; give less, or --unroll-length {steps}."
      )


registry = Registry("auxiliary", "agents.auxiliaries")
"""Builders: (own settings, Context) -> Auxiliary."""
