"""The agent contract: pure functions over pytrees, so that every runtime calls the same code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from envs.environment import FIRST, LAST, Environment
from envs.registry import Registry

Metrics = dict[str, jax.Array]


class Trajectory(NamedTuple):
  """T transitions of B environments, time-major, with the observation that follows the last.

  Entry t holds what was known on arriving at step t (`observation`, `reward`, `discount`,
  `step_type`) and what was done there (`action`, `extras`). The last action is a place-holder.

  Attributes:
    observation: [T+1, B, ...].
    action: int32 [T+1, B].
    reward: float32 [T+1, B].
    discount: float32 [T+1, B], the environment's, 0 at a termination.
    step_type: int32 [T+1, B].
    extras: what the behaviour policy leaves for learning, arrays [T+1, B, ...].
    memory: the actor's memory before step 0, arrays [B, ...].
  """

  observation: Any
  action: jax.Array
  reward: jax.Array
  discount: jax.Array
  step_type: jax.Array
  extras: Any
  memory: Any

  @property
  def first(self) -> jax.Array:
    """bool [T+1, B]: an episode begins here."""
    return self.step_type == FIRST

  @property
  def real(self) -> jax.Array:
    """bool [T, B]: the transition t -> t+1 lies inside an episode (LAST -> FIRST does not)."""
    return self.step_type[:-1] != LAST


class DataSpec(NamedTuple):
  """The data an agent learns from.

  Attributes:
    unroll_length: T, transitions in a trajectory.
    batch_size: B, trajectories in a call of `learn`.
  """

  unroll_length: int
  batch_size: int


class Agent(NamedTuple):
  """An agent.

  Attributes:
    init: key -> learner state, all that is learned and shared.
    initial_memory: batch -> what each environment carries while acting.
    act: (variables, memory, timestep [B], key, explore) -> (action [B], extras, memory).
      `explore` is static: False takes the policy's mode.
    learn: (learner state, trajectory) -> (learner state, metrics).
    variables: learner state -> what `act` needs of it.
    diagnose: (learner state, trajectory) -> metrics too dear for every update.
    data: the data `learn` wants.
  """

  init: Callable[[jax.Array], Any]
  initial_memory: Callable[[int], Any]
  act: Callable[[Any, Any, Any, jax.Array, bool], tuple[jax.Array, Any, Any]]
  learn: Callable[[Any, Trajectory], tuple[Any, Metrics]]
  variables: Callable[[Any], Any]
  diagnose: Callable[[Any, Trajectory], Metrics]
  data: DataSpec


registry = Registry("agent")


def num_actions(env: Environment) -> int:
  """The number of discrete actions of an environment."""
  return int(np.asarray(env.action_spec().num_values))
