"""Schedules of the learning rate, by how much of the run is done."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
  """How the learning rate goes over the run."""

  learning_rate_schedule: Literal["constant", "linear", "cosine"] = "constant"
  """`constant`; or falling along a line (PPO, arXiv 1707.06347, on Atari) or half a cosine (SGDR,
  arXiv 1608.03983, equation 5)."""
  learning_rate_warm_up: float = 0.0
  """Share of the run in which it first rises from 0 (Goyal et al., arXiv 1706.02677: .06)."""
  learning_rate_end: float = 0.0
  """Share of it that is left at the end of a falling schedule (PPO: 0)."""

  def __post_init__(self) -> None:
    for name in ("learning_rate_warm_up", "learning_rate_end"):
      if not 0.0 <= getattr(self, name) <= 1.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1].")

  @property
  def needs_length(self) -> bool:
    """Whether how long the run is makes a difference."""
    return self.learning_rate_schedule != "constant" or self.learning_rate_warm_up > 0.0


def factor(config: ScheduleConfig, share: jax.Array) -> jax.Array:
  """What the learning rate is multiplied by, float32, at a share of the run in [0, 1]."""
  warm_up, end = config.learning_rate_warm_up, config.learning_rate_end
  # What is left after the warm-up; a run that only warms up never gets there.
  done = (share - warm_up) / (1.0 - warm_up) if warm_up < 1.0 else jnp.zeros_like(share)
  if config.learning_rate_schedule == "constant":
    after = jnp.ones_like(share)
  elif config.learning_rate_schedule == "linear":
    after = 1.0 + (end - 1.0) * done
  else:
    after = end + (1.0 - end) * 0.5 * (1.0 + jnp.cos(jnp.pi * done))
  if not warm_up:
    return after
  return jnp.where(share < warm_up, share / warm_up, after)
