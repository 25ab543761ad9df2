"""DeepSea: dive from the top left of an N x N grid to the treasure at the bottom right.

Every step goes one row down and one column left or right; which of the two actions means right is
drawn per cell. Each move right costs 0.01 / N, and only N of them in a row reach the treasure, so
random play finds it once in 2^N episodes. The rules, the draw of the actions' meanings, and the
empty observation of the last step are those of bsuite (Osband et al., 2020, arXiv 1908.03568),
deterministic version.
"""

from __future__ import annotations

from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.capabilities import Oracle, Places
from envs.environment import Environment, Reference, registry, restart, transition

MOVE_COST = 0.01
RENDER_CELL_PIXELS = 8
WATER, DIVER, TREASURE = (0, 40, 90), (255, 255, 255), (255, 215, 0)


class DeepSeaState(NamedTuple):
  """The diver's cell, int32 scalars; an episode ends on row N, below the grid."""

  row: jax.Array
  column: jax.Array


@registry.register("deep_sea")
class DeepSea(Environment[DeepSeaState]):
  """Dive N rows by N right moves in a row; random play succeeds once in 2^N episodes."""

  success_return = 0.5  # only the treasure makes a return positive: 1 - MOVE_COST

  def __init__(self, size: int = 10, mapping_seed: int = 42):
    """Builds the grid.

    Args:
      size: N, the side of the grid and the length of an episode.
      mapping_seed: of the NumPy draw of which action means right, as in bsuite.

    Raises:
      ValueError: if `size` is not positive.
    """
    if size < 1:
      raise ValueError(f"size is {size}; expected at least 1.")
    self.size = size
    self.max_episode_steps = size
    self.right_actions = np.random.RandomState(mapping_seed).binomial(1, 0.5, (size, size))

  def reset(self, key: jax.Array) -> tuple[DeepSeaState, dm_env.TimeStep]:
    state = DeepSeaState(jnp.int32(0), jnp.int32(0))
    return state, restart(self.observe(state))

  def step(self, state: DeepSeaState, action: jax.Array) -> tuple[DeepSeaState, dm_env.TimeStep]:
    right = action == jnp.asarray(self.right_actions)[state.row, state.column]
    found = right & (state.column == self.size - 1)
    reward = jnp.where(found, 1.0, 0.0) - jnp.where(right, MOVE_COST / self.size, 0.0)
    column = jnp.clip(state.column + jnp.where(right, 1, -1), 0, self.size - 1)
    state = DeepSeaState(state.row + 1, column)
    return state, transition(self.observe(state), reward, terminated=state.row == self.size)

  def observe(self, state: DeepSeaState) -> jax.Array:
    """The diver's cell one-hot, float32 [N, N]; all zero once the episode is over."""
    rows = jax.nn.one_hot(state.row, self.size, dtype=jnp.float32)
    columns = jax.nn.one_hot(state.column, self.size, dtype=jnp.float32)
    return jnp.outer(rows, columns)

  def observation_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray((self.size, self.size), np.float32, 0.0, 1.0, "observation")

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(2, np.int32, "action")

  def render(self, state: DeepSeaState) -> jax.Array:
    treasure = jnp.zeros((self.size, self.size)).at[-1, -1].set(1.0)
    picture = jnp.where(treasure[..., None] > 0, jnp.array(TREASURE), jnp.array(WATER))
    picture = jnp.where(self.observe(state)[..., None] > 0, jnp.array(DIVER), picture)
    cells = picture.astype(jnp.uint8)
    return cells.repeat(RENDER_CELL_PIXELS, axis=0).repeat(RENDER_CELL_PIXELS, axis=1)

  def optimal(self) -> Reference:
    powers = 0.99 ** np.arange(self.size)
    return Reference(
      success=1.0,
      episode_return=1.0 - MOVE_COST,
      length=float(self.size),
      discounted_return=float(powers[-1] - MOVE_COST * powers.mean()),
    )

  def places(self) -> Places:
    reachable = np.tri(self.size, dtype=bool).ravel()
    return Places(self.size, self.size, reachable, np.full(self.size**2, -1, np.int32))

  def oracle(self, state: DeepSeaState) -> Oracle:
    """The diver's cell; below the grid, the first cell, where the next episode begins."""
    place = jnp.where(state.row == self.size, 0, state.row * self.size + state.column)
    return Oracle(place.astype(jnp.int32), jnp.zeros((0,), jnp.int32), jnp.bool_(False))
