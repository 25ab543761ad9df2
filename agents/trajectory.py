"""Trajectories, which know where their batch lies, and the data that an agent asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from envs.environment import FIRST, LAST


class Trajectory(NamedTuple):
  """T transitions of B environments, time-major, with the observation that follows the last.

  Entry t holds what was known on arriving at step t (`observation`, `reward`, `discount`,
  `step_type`) and what was done there (`action`, `extras`). The last action is a place-holder.
  An item is the part of one environment: the same without the axis of B.

  Attributes:
    observation: [T+1, B, ...].
    action: what the environment was given, int32 [T+1, B] or float32 [T+1, B, *A].
    reward: float32 [T+1, B].
    discount: float32 [T+1, B], the environment's, 0 at a termination.
    step_type: int32 [T+1, B].
    extras: what the behaviour policy leaves for learning, arrays [T+1, B, ...].
    memory: the actor's memory before step 0, arrays [B, ...].
    oracle: `envs.capabilities.Oracle` [T+1, B], of environments that have one, else (). It is for
      measuring: only the bonus `oracle_counts` reads it.
    probability: float32 [B], the chance each had of being drawn from a replay; () from a queue.
    state: the environments' states [T+1, B], for an agent that reads them, else ().
  """

  observation: Any
  action: jax.Array
  reward: jax.Array
  discount: jax.Array
  step_type: jax.Array
  extras: Any
  memory: Any
  oracle: Any = ()
  probability: Any = ()
  state: Any = ()

  @staticmethod
  def axes() -> Trajectory:
    """The axis of B in the arrays of each field: 0 of what stands once, 1 of what is over time.

    The one place that knows it: who cuts, shares out or turns a trajectory asks here. It is what
    `jax.vmap` takes as `in_axes` to map over the environments.
    """
    over_time: dict[str, Any] = dict.fromkeys(Trajectory._fields, 1)
    return Trajectory(**over_time | {"memory": 0, "probability": 0})

  def by_axis(self, change: Callable[[int, jax.Array], Any]) -> Trajectory:
    """The trajectory with each array x, whose axis of B is `axis`, as `change(axis, x)`."""

    def changed(axis: int, field: Any) -> Any:
      return jax.tree.map(lambda x: change(axis, x), field)

    return Trajectory(
      *(changed(axis, field) for axis, field in zip(self.axes(), self, strict=True))
    )

  def columns(self, index: jax.Array) -> Trajectory:
    """The trajectories of these environments, int32 [N]; the axis of B becomes one of N."""
    return self.by_axis(lambda axis, x: jnp.take(x, index, axis=axis))

  def item(self, index: int) -> Trajectory:
    """That of one environment: arrays [T+1, ...], memory [...]."""
    return self.by_axis(lambda axis, x: x[(slice(None),) * axis + (index,)])

  def as_batch(self) -> Trajectory:
    """Of an item, the trajectory that holds it alone: B = 1."""
    return self.by_axis(lambda axis, x: jnp.expand_dims(x, axis))

  def swap(self) -> Trajectory:
    """Items side by side, [B, T+1, ...], of a trajectory [T+1, B, ...]; or the other way round."""
    return self.by_axis(lambda axis, x: jnp.swapaxes(x, 0, axis))

  def groups(self, size: int) -> Trajectory:
    """Trajectories of `size` environments each, [B / size, T+1, size, ...], for a scan or a map."""

    def split(axis: int, x: jax.Array) -> jax.Array:
      shape = (*x.shape[:axis], -1, size, *x.shape[axis + 1 :])
      return jnp.moveaxis(x.reshape(shape), axis, 0)

    return self.by_axis(split)

  @property
  def first(self) -> jax.Array:
    """bool [T+1, B]: an episode begins here."""
    return self.step_type == FIRST

  @property
  def mask(self) -> jax.Array:
    """bool [T, B]: whether t -> t+1 is a transition, and not where a new episode begins."""
    return self.step_type[:-1] != LAST


class ReplaySpec(NamedTuple):
  """How an agent replays.

  Attributes:
    capacity: items held; the oldest go first.
    min_size: items before the first sample.
    samples_per_insert: how often an item is drawn on average; whoever runs ahead waits.
    priority_exponent: the chance of an item is proportional to its priority to this power; 0 is
      uniform (Schaul et al. 2015, arXiv 1511.05952, equation 1).
    environments: that act side by side on_device; 0 takes as many as make one update follow each
      unroll of theirs.
  """

  capacity: int
  min_size: int
  samples_per_insert: float
  priority_exponent: float
  environments: int = 0


class DataSpec(NamedTuple):
  """The data an agent learns from.

  Attributes:
    unroll_length: T, transitions in a trajectory.
    batch_size: B, trajectories in a call of `learn`.
    replay: None for an agent that learns from each trajectory once, in order.
  """

  unroll_length: int
  batch_size: int
  replay: ReplaySpec | None = None
