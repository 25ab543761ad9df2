"""What an agent with goals of its own learns, acts by, and carries while acting."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from agents.reachability.goal_memory import GoalMemory
from agents.reachability.graph import Graph
from agents.reachability.walks import Walks


class LearnerState(NamedTuple):
  """All that is learned and shared.

  Attributes:
    inner: the agent inside's.
    reach: parameters of the reachability network.
    optimiser: optax state of them.
    memory: the goal memory.
    graph: over its entries.
    visited: the latest states, a ring, [M, *O].
    density: of each of them among the others, float32 [M], at most 1, which it is until it is
      measured; 0 for an empty place.
    walks: the latest trajectories with random walks in them, a ring.
    updates: int32.
  """

  inner: Any
  reach: Any
  optimiser: Any
  memory: GoalMemory
  graph: Graph
  visited: jax.Array
  density: jax.Array
  walks: Walks
  updates: jax.Array


class Encoder(NamedTuple):
  """What views are read with: the target encoder's parameters, and the moments by which what it
  reads is normalised; () where it is not."""

  params: Any
  moments: Any


class Variables(NamedTuple):
  """What acting needs of the learner state.

  Attributes:
    inner: the agent inside's.
    encoder: what views are read with.
    reach: parameters of the reachability network.
    goals: views to choose goals from, [M, *O].
    shares: float32 [M], how often each is chosen, not normalised; all 0 takes the environment's.
    wanders: bool, whether there are random walks at all.
    walks_only: bool, whether there is nothing else yet.
  """

  inner: Any
  encoder: Encoder
  reach: Any
  goals: jax.Array
  shares: jax.Array
  wanders: jax.Array
  walks_only: jax.Array


class Memory(NamedTuple):
  """What an environment carries while acting.

  Attributes:
    inner: the agent inside's.
    goal: what is pursued, [B, *O].
    walks: bool [B], whether a random walk is on.
    clock: int32 [B], steps since the goal was chosen or the walk began.
  """

  inner: Any
  goal: jax.Array
  walks: jax.Array
  clock: jax.Array
