"""The agent contract: pure functions over pytrees, so that every runtime calls the same code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from dm_env import specs

from envs.environment import FIRST, LAST
from envs.registry import Registry

Metrics = dict[str, jax.Array]


class Trajectory(NamedTuple):
  """T transitions of B environments, time-major, with the observation that follows the last.

  Entry t holds what was known on arriving at step t (`observation`, `reward`, `discount`,
  `step_type`) and what was done there (`action`, `extras`). The last action is a place-holder.

  Attributes:
    observation: [T+1, B, ...].
    action: what the environment was given, int32 [T+1, B] or float32 [T+1, B, *A].
    reward: float32 [T+1, B].
    discount: float32 [T+1, B], the environment's, 0 at a termination.
    step_type: int32 [T+1, B].
    extras: what the behaviour policy leaves for learning, arrays [T+1, B, ...].
    memory: the actor's memory before step 0, arrays [B, ...].
    oracle: `envs.environment.Oracle` [T+1, B], of environments that have one, else (). It is for
      measuring: only the bonus `oracle_counts` reads it.
    probability: float32 [B], the chance each had of being drawn from a replay; () from a queue.
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

  @staticmethod
  def axes() -> Trajectory:
    """The axis of B in the arrays of each field: 0 of what stands once, 1 of what is over time.

    The one place that knows it: who cuts, shares out or turns a trajectory asks here.
    """
    over_time: dict[str, Any] = dict.fromkeys(Trajectory._fields, 1)
    return Trajectory(**over_time | {"memory": 0, "probability": 0})

  def columns(self, index: jax.Array) -> Trajectory:
    """The trajectories of these environments, int32 [N]; the axis of B becomes one of N."""

    def take(axis: int, field: Any) -> Any:
      return jax.tree.map(lambda x: jnp.take(x, index, axis=axis), field)

    return Trajectory(*(take(axis, field) for axis, field in zip(self.axes(), self, strict=True)))

  @property
  def first(self) -> jax.Array:
    """bool [T+1, B]: an episode begins here."""
    return self.step_type == FIRST

  @property
  def real(self) -> jax.Array:
    """bool [T, B]: the transition t -> t+1 lies inside an episode (LAST -> FIRST does not)."""
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


class Learned(NamedTuple):
  """What a call of `learn` leaves.

  Attributes:
    state: the learner state.
    metrics: scalars by name.
    priorities: float32 [B], the trajectories' new ones, of an agent that replays, else ().
  """

  state: Any
  metrics: Metrics
  priorities: Any = ()


class Agent(NamedTuple):
  """An agent.

  Attributes:
    init: key -> learner state, all that is learned and shared.
    initial_memory: batch -> what each environment carries while acting.
    act: (variables, memory, timestep [B], key, explore) -> (action [B, *A], extras, memory).
      `explore` is static: False takes the policy's mode.
    learn: (learner state, trajectory, key) -> Learned.
    variables: learner state -> what `act` needs of it.
    diagnose: (learner state, trajectory) -> metrics too dear for every update.
    intrinsic: (learner state, trajectory, key) -> what the bonus pays, float32 [T, B], unweighted;
      the state stays as it is.
    data: the data `learn` wants.
    beliefs: (learner state, trajectory) -> float32 [T+1, B, H], what the agent makes of all that it
      has seen in the episode; None for an agent that has none.
    gradient: (learner state, trajectory, key) -> the loss's gradient, in the structure of its
      parameters; None for an agent that does not tell it.
    heads: (learner state, trajectory) -> what the heads say of its steps, arrays [T+1, B, ...]; of
      an objective over action values, Q [T+1, B, A]. None for an agent that does not tell it.
    on_task: variables -> those that act where the environment's own task is judged, as in an
      evaluation; an agent that sets goals of its own then takes the environment's.
  """

  init: Callable[[jax.Array], Any]
  initial_memory: Callable[[int], Any]
  act: Callable[[Any, Any, Any, jax.Array, bool], tuple[jax.Array, Any, Any]]
  learn: Callable[[Any, Trajectory, jax.Array], Learned]
  variables: Callable[[Any], Any]
  diagnose: Callable[[Any, Trajectory], Metrics]
  intrinsic: Callable[[Any, Trajectory, jax.Array], jax.Array]
  data: DataSpec
  beliefs: Callable[[Any, Trajectory], jax.Array] | None = None
  gradient: Callable[[Any, Trajectory, jax.Array], Any] | None = None
  heads: Callable[[Any, Trajectory], Any] | None = None
  on_task: Callable[[Any], Any] = lambda variables: variables


class HasSpecs(Protocol):
  """All that an agent is built from; environments of both kinds, functional and host, have it.

  Attributes:
    cell_pixels: side of one cell where observations are grids of cells, else None.
  """

  cell_pixels: int | None

  def observation_spec(self) -> specs.Array:
    """Shape and dtype of one observation; uint8 means pixels."""
    ...

  def action_spec(self) -> specs.Array:
    """One integer, several, or floats, within bounds or without; see `envs.action_specs`."""
    ...


class Kind(NamedTuple):
  """A kind of agent, as it is registered.

  Attributes:
    config: its settings, a dataclass that can be made without arguments.
    build: (settings, specs of the environment) -> Agent; of one that learns offline, what its own
      command runs.
    offline: whether it learns from a dataset, by `rarebird offline`, and never acts.
  """

  config: type
  build: Callable[[Any, HasSpecs], Any]
  offline: bool = False


registry = Registry("agent", "agents")
"""Kinds of agents, by name."""
