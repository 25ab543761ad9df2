"""The objective contract: how policy and value improve, given rewards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from agents.agent import Metrics, Trajectory
from envs.registry import Registry


class Objective(NamedTuple):
  """An objective over the heads' outputs at beliefs.

  Attributes:
    init: () -> params of its own (dual variables), trained with the agent's.
    loss: (params, logits [T+1, B, A], values [T+1, B], trajectory, rewards [T, B]) ->
      (scalar, metrics). The trajectory's extras hold the behaviour's `logits` [T+1, B, A].
  """

  init: Callable[[], Any]
  loss: Callable[[Any, jax.Array, jax.Array, Trajectory, jax.Array], tuple[jax.Array, Metrics]]


registry = Registry("objective")
