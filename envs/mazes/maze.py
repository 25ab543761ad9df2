"""The core of the mazes: an agent among rooms, objects that move by their laws, and a 5x5 view.

The agent sees the 5 x 5 cells around it, through walls too, as symbols; it is always in the centre
and so not drawn, and sees what it stands on. Nothing is rewarded unless there is a goal: what is
judged is what it visits (`places`) and what it could know (`oracle`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.capabilities import Oracle, Places
from envs.environment import Environment, Reference, restart, transition
from envs.mazes import objects, picture, snow
from envs.mazes.maps import MOVES, VIEW, Map
from envs.mazes.snow import Snow
from envs.observation import Cells

FLOOR, WALL, GOAL, DARK, BRIGHT = range(5)
"""Symbols of the plain cells (a door is floor), the goal, and the two of snow."""
FIRST_KIND = 5
"""Symbol of the first of `objects.KINDS`."""
SYMBOLS = FIRST_KIND + len(objects.KINDS)


class MazeState(NamedTuple):
  """All that changes in an episode of a maze with N objects.

  Attributes:
    cell: where the agent is, int32.
    objects: where the objects are, int32 [N].
    directions: where the bouncing ones head, int32 [N]; unused for the others.
    snow: what falls on the agent's view.
    steps: since the episode began, int32.
    key: of the steps to come.
  """

  cell: jax.Array
  objects: jax.Array
  directions: jax.Array
  snow: Snow
  steps: jax.Array
  key: jax.Array


class Maze(Environment[MazeState]):
  """A maze; see the environments built on it.

  The actions move north, east, south, west (0 to 3), or do nothing (4). The agent moves first,
  then every object that moves by itself. The last step of an episode truncates it; reaching the
  goal, where there is one, pays 1 and terminates it.
  """

  def __init__(
    self,
    world: Map,
    start: int,
    things: Sequence[objects.Object],
    max_episode_steps: int,
    regime: str = "none",
    goal: int | None = None,
  ):
    """Builds the maze.

    Args:
      world: the map.
      start: the agent's first cell.
      things: the objects, in the order of `MazeState.objects`; later ones are drawn above earlier.
      max_episode_steps: length of an episode.
      regime: when snow falls on the view, see `envs.mazes.snow`.
      goal: the cell that pays, if any.

    Raises:
      ValueError: one line, if `max_episode_steps` is not a positive integer.
    """
    if not isinstance(max_episode_steps, int) or max_episode_steps < 1:
      raise ValueError(f"max_episode_steps is {max_episode_steps!r}; expected an integer above 0.")
    self.max_episode_steps = max_episode_steps
    self.world, self.start, self.things = world, start, tuple(things)
    self.regime, self.goal = regime, goal
    self.success_return = math.inf if goal is None else 1.0
    symbols = np.where(world.walls, WALL, FLOOR).astype(np.int32)
    if goal is not None:
      symbols[goal] = GOAL
    # The last symbol is the one beyond the edge: the window's -1 picks it.
    self._views = np.append(symbols, np.int32(WALL))[world.window]
    self._kinds = [FIRST_KIND + objects.KINDS.index(thing.kind) for thing in self.things]
    self._noisy = [i for i, thing in enumerate(self.things) if thing.kind in objects.RANDOM]

  def reset(self, key: jax.Array) -> tuple[MazeState, dm_env.TimeStep]:
    key, place_key, snow_key = jax.random.split(key, 3)
    uniforms = jax.random.uniform(place_key, (len(self.things),), jnp.float32)
    starts = [objects.choose(t.starts, u) for t, u in zip(self.things, uniforms, strict=True)]
    placed = jnp.array(starts, jnp.int32).reshape(-1, 2)
    state = MazeState(
      cell=jnp.int32(self.start),
      objects=placed[:, 0],
      directions=placed[:, 1],
      snow=snow.draw(self.regime, snow_key),
      steps=jnp.int32(0),
      key=key,
    )
    return state, restart(self.observe(state))

  def step(self, state: MazeState, action: jax.Array) -> tuple[MazeState, dm_env.TimeStep]:
    key, move_key, snow_key = jax.random.split(state.key, 3)
    uniforms = jax.random.uniform(move_key, (len(self.things),), jnp.float32)
    target = jnp.asarray(self.world.next_cell)[state.cell, action]
    blocked = jnp.bool_(False)
    moved = []
    for i, thing in enumerate(self.things):
      at = state.objects[i]
      if thing.kind == "movable":
        pushed = objects.push(self.world, at, target, action)
        blocked |= pushed == target
        moved.append((pushed, state.directions[i]))
      else:
        moved.append(objects.move(thing, self.world, at, state.directions[i], uniforms[i]))
    cells_and_directions = jnp.array(moved, jnp.int32).reshape(-1, 2)
    state = MazeState(
      cell=jnp.where(blocked, state.cell, target),
      objects=cells_and_directions[:, 0],
      directions=cells_and_directions[:, 1],
      snow=snow.draw(self.regime, snow_key, action),
      steps=state.steps + 1,
      key=key,
    )
    found = jnp.bool_(False) if self.goal is None else state.cell == self.goal
    return state, transition(
      self.observe(state),
      reward=found,
      terminated=found,
      truncated=state.steps >= self.max_episode_steps,
    )

  def observe(self, state: MazeState) -> jax.Array:
    """Returns the agent's view, int32 [5, 5, 1]: a symbol for each cell, or snow."""
    window = jnp.asarray(self.world.window)[state.cell]
    view = jnp.asarray(self._views)[state.cell]
    for i, symbol in enumerate(self._kinds):
      view = jnp.where(window == state.objects[i], jnp.int32(symbol), view)
    frame = jnp.where(state.snow.pixels(), jnp.int32(BRIGHT), jnp.int32(DARK))
    return jnp.where(state.snow.falls, frame, view)[..., None]

  def observation_spec(self) -> Cells:
    return Cells((VIEW, VIEW, 1), np.int32, 0, SYMBOLS - 1, side=1, name="view")

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(len(MOVES), np.int32, name="move")

  def places(self) -> Places:
    return self.world.places(self.start)

  def oracle(self, state: MazeState) -> Oracle:
    """What is hidden; near noise: snow, or a Brownian or white-noise object within the view."""
    window = jnp.asarray(self.world.window)[state.cell]
    noisy = state.objects[jnp.array(self._noisy, jnp.int32)]
    in_view = (window[..., None] == noisy).any()
    return Oracle(state.cell, state.objects, in_view | state.snow.falls)

  def optimal(self) -> Reference | None:
    if self.goal is None:
      return None
    length = int(self.world.distances(self.start)[self.goal])
    return Reference(1.0, 1.0, float(length), 0.99 ** (length - 1))

  def render(self, state: MazeState) -> jax.Array:
    """Returns the map with its objects, the agent, and the window it sees, uint8 [H, W, 3]."""
    kinds = [thing.kind for thing in self.things]
    return picture.draw(self.world, self.goal, kinds, state.cell, state.objects, state.snow)
