"""What is paid of what a bonus says: scaled by the shared normaliser, and weighted."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.bonuses import normaliser
from agents.bonuses.bonus import Bonus, Outputs
from agents.torsos import torso as torsos
from agents.trajectory import Trajectory
from envs.registry import AUTO, Choice, choice_field


@dataclasses.dataclass(frozen=True)
class PaymentConfig:
  """What all bonuses have in common."""

  bonus_weight: float = 0.01
  """lambda, weight of the bonus beside the environment's reward (swept, 1e-4 to 1, recalled)."""
  bonus_torso: Choice = choice_field(torsos.registry, AUTO)
  """Encoder of the bonus's own networks; `auto` takes the world model's kind."""
  normaliser_decay: float = 0.99
  """Decay of the running mean and variance of `surprise`, a batch a step (BYOL-Explore: .99)."""
  clip_at_mean: bool = True
  """Pay only for above-average `surprise` (BYOL-Explore, section 3.3)."""

  def __post_init__(self) -> None:
    if not 0.0 <= self.normaliser_decay < 1.0:
      raise ValueError(f"normaliser_decay is {self.normaliser_decay}; it must lie in [0, 1).")


class BonusState(NamedTuple):
  """What a bonus keeps, beside the parameters that are trained.

  Attributes:
    statistics: its own.
    scale: the normaliser's running averages.
  """

  statistics: Any
  scale: normaliser.NormaliserState


def init(statistics: Any) -> BonusState:
  return BonusState(statistics, normaliser.init())


def pay(
  bonus: Bonus,
  config: PaymentConfig,
  discount: float | jax.Array,
  params: Any,
  state: BonusState,
  trajectory: Trajectory,
  outputs: Outputs,
  key: jax.Array,
) -> tuple[jax.Array, BonusState, Metrics]:
  """Returns what is paid before it is weighted, float32 [T, B], and the state after the batch.

  Raises:
    ValueError: if the bonus returns another shape, or names a scaling that there is not.
  """
  raw, statistics, metrics = bonus.reward(params, state.statistics, trajectory, outputs, key)
  if raw.shape != trajectory.mask.shape:
    raise ValueError(
      f"the bonus returned rewards of shape {raw.shape}; expected [T, B], {trajectory.mask.shape}."
    )
  paid, scale, scaling = normaliser.normalise(
    bonus.scaling,
    state.scale,
    raw,
    trajectory.mask,
    config.normaliser_decay,
    config.clip_at_mean,
    discount,
  )
  mean = jnp.sum(paid) / jnp.maximum(jnp.sum(trajectory.mask), 1)
  return paid, BonusState(statistics, scale), metrics | scaling | {"bonus": mean}
