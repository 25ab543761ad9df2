"""The T-maze: a sign at the start of a corridor says which way to turn at its end.

What is seen, the moves and the rewards are those of Bakker 2001, "Reinforcement learning with long
short-term memory" (NIPS 14). Two things differ. Going back costs what standing still does, as each
step that is not forward does in the passive T-maze of Ni et al. 2023 (arXiv 2307.03864): else 500
steps are a matter of exploring. And an episode is cut off at twice the steps that it takes.
"""

from __future__ import annotations

from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.environment import Environment, Reference, registry, restart, transition

NORTH, EAST, SOUTH, WEST = range(4)
SIGNS = ((1.0, 1.0, 0.0), (0.0, 1.0, 1.0))
"""Of an end in the south and in the north."""
CORRIDOR, JUNCTION = (1.0, 0.0, 1.0), (0.0, 1.0, 0.0)
RIGHT, COST = 4.0, 0.1


class TMazeState(NamedTuple):
  """Steps taken and place in the corridor, int32, and whether the reward is in the north, bool."""

  time: jax.Array
  place: jax.Array
  north: jax.Array


@registry.register("memory/t_maze")
class TMaze(Environment[TMazeState]):
  """Remember a sign along a corridor of `length` steps, then turn where it said."""

  success_return = RIGHT / 2.0  # the right end, and at most 20 steps that were not forward

  def __init__(self, length: int = 10):
    """Builds the maze.

    Args:
      length: steps from the sign to the junction.

    Raises:
      ValueError: if `length` is not positive.
    """
    if length < 1:
      raise ValueError(f"length is {length}; expected at least 1.")
    self.length = length
    self.max_episode_steps = 2 * (length + 1)

  def reset(self, key: jax.Array) -> tuple[TMazeState, dm_env.TimeStep]:
    state = TMazeState(jnp.int32(0), jnp.int32(0), jax.random.bernoulli(key))
    return state, restart(self.observe(state))

  def step(self, state: TMazeState, action: jax.Array) -> tuple[TMazeState, dm_env.TimeStep]:
    turned = (state.place == self.length) & ((action == NORTH) | (action == SOUTH))
    moved = (action == EAST).astype(jnp.int32) - (action == WEST)
    place = jnp.clip(state.place + moved, 0, self.length)
    forward = place > state.place
    right = turned & ((action == NORTH) == state.north)
    reward = jnp.where(right, RIGHT, jnp.where(forward, 0.0, -COST))
    state = TMazeState(state.time + 1, place, state.north)
    late = state.time >= self.max_episode_steps
    return state, transition(self.observe(state), reward, terminated=turned, truncated=late)

  def observe(self, state: TMazeState) -> jax.Array:
    """Float32 [3], of 0 and 1: the sign, the corridor, or the junction."""
    sign = jnp.where(state.north, jnp.asarray(SIGNS[1]), jnp.asarray(SIGNS[0]))
    beyond = jnp.where(state.place == self.length, jnp.asarray(JUNCTION), jnp.asarray(CORRIDOR))
    return jnp.where(state.place == 0, sign, beyond).astype(jnp.float32)

  def observation_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray((3,), np.float32, 0.0, 1.0, "observation")

  def action_spec(self) -> specs.DiscreteArray:
    """North, east (along the corridor), south, west."""
    return specs.DiscreteArray(4, np.int32, "action")

  def optimal(self) -> Reference:
    """To the junction, and where the sign said."""
    return Reference(1.0, RIGHT, self.length + 1.0, RIGHT * 0.99**self.length)
