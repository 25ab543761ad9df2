"""The bonus contract: what an agent pays itself for exploring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from agents.agent import Metrics, Trajectory
from envs.registry import Registry


class Outputs(NamedTuple):
  """What the world model made of a trajectory, for bonuses and losses to read.

  Attributes:
    beliefs: [T+1, B, H].
    errors: the table L, [T, K, B], or None if nobody asked for it.
    valid: bool [T, K, B], its real entries, or None.
  """

  beliefs: jax.Array
  errors: jax.Array | None
  valid: jax.Array | None


class Bonus(NamedTuple):
  """A bonus. Its parameters are trained with the agent's; its statistics are learner state.

  Attributes:
    init: key -> (params, statistics).
    reward: (params, statistics, trajectory, outputs) -> (rewards [T, B], statistics, metrics).
      The reward of entry t is for the transition t -> t+1, and 0 where that is not real.
    loss: (params, trajectory, outputs) -> scalar loss of the bonus's own networks.
    reads_table: whether it needs the table of prediction errors, and so the BYOL loss.
  """

  init: Callable[[jax.Array], tuple[Any, Any]]
  reward: Callable[[Any, Any, Trajectory, Outputs], tuple[jax.Array, Any, Metrics]]
  loss: Callable[[Any, Trajectory, Outputs], jax.Array]
  reads_table: bool


class BonusConfig(NamedTuple):
  """Settings common to all bonuses, handed to each builder.

  Attributes:
    normaliser_decay: decay of the running mean and variance, a batch a step.
    clip_at_mean: pay only for above-average surprise.
  """

  normaliser_decay: float = 0.99
  clip_at_mean: bool = True


registry = Registry("bonus")
