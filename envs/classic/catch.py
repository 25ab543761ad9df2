"""Catch: a ball falls down one column of a board, and a paddle on the last row is to be under it.

The rules and the observation are those of bsuite (Osband et al., 2020, arXiv 1908.03568).
"""

from __future__ import annotations

from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.environment import Environment, Reference, registry, restart, transition

RENDER_CELL_PIXELS = 8
BOARD, PADDLE, BALL = (0, 40, 90), (255, 255, 255), (255, 215, 0)


class CatchState(NamedTuple):
  """The ball's row and column and the paddle's column, int32 scalars."""

  row: jax.Array
  column: jax.Array
  paddle: jax.Array


@registry.register("catch")
class Catch(Environment[CatchState]):
  """Move a paddle left, nowhere or right under a falling ball; reward 1 or -1 at its landing."""

  success_return = 1.0

  def __init__(self, rows: int = 10, columns: int = 5):
    """Builds the board.

    Args:
      rows: of the board, one more than the steps of an episode.
      columns: of the board; the paddle begins in the middle one.

    Raises:
      ValueError: if `rows` is below 2 or `columns` below 1.
    """
    if rows < 2 or columns < 1:
      raise ValueError(f"the board is {rows} by {columns}; expected at least 2 rows and 1 column.")
    self.rows, self.columns = rows, columns
    self.max_episode_steps = rows - 1

  def reset(self, key: jax.Array) -> tuple[CatchState, dm_env.TimeStep]:
    column = jax.random.randint(key, (), 0, self.columns, jnp.int32)
    state = CatchState(jnp.int32(0), column, jnp.int32(self.columns // 2))
    return state, restart(self.observe(state))

  def step(self, state: CatchState, action: jax.Array) -> tuple[CatchState, dm_env.TimeStep]:
    paddle = jnp.clip(state.paddle + action - 1, 0, self.columns - 1).astype(jnp.int32)
    state = CatchState(state.row + 1, state.column, paddle)
    landed = state.row == self.rows - 1
    reward = jnp.where(landed, jnp.where(paddle == state.column, 1.0, -1.0), 0.0)
    return state, transition(self.observe(state), reward, terminated=landed)

  def observe(self, state: CatchState) -> jax.Array:
    """Float32 [rows, columns]: 1 where the ball or the paddle is, else 0."""
    board = jnp.zeros((self.rows, self.columns), jnp.float32)
    return board.at[state.row, state.column].set(1.0).at[-1, state.paddle].set(1.0)

  def observation_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray((self.rows, self.columns), np.float32, 0.0, 1.0, "observation")

  def action_spec(self) -> specs.DiscreteArray:
    """Left, nowhere, right."""
    return specs.DiscreteArray(3, np.int32, "action")

  def render(self, state: CatchState) -> jax.Array:
    """The board from above; the ball is drawn over the paddle."""
    cells = jnp.full((self.rows, self.columns, 3), jnp.array(BOARD, jnp.uint8))
    cells = cells.at[-1, state.paddle].set(jnp.array(PADDLE, jnp.uint8))
    cells = cells.at[state.row, state.column].set(jnp.array(BALL, jnp.uint8))
    return cells.repeat(RENDER_CELL_PIXELS, axis=0).repeat(RENDER_CELL_PIXELS, axis=1)

  def optimal(self) -> Reference | None:
    """Every ball is caught, on a board with time enough to cross half of it."""
    if self.columns // 2 > self.rows - 1:
      return None
    steps = self.rows - 1
    return Reference(1.0, 1.0, float(steps), 0.99 ** (steps - 1))
