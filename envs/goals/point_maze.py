"""A point in a maze, sent to places that it may never have seen.

The U, its scale, its horizon and its success radius are GO-FRESH's (arXiv 2301.02099): cells of 4
of its units, 100 steps of at most 1 unit, and success within 1 unit. There a point with a heading
turns and drives; here it is moved along both axes at once, without heading or momentum, so that a
position is all there is to reach.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.capabilities import Oracle, Places
from envs.environment import registry
from envs.goals import layouts, picture, walls
from envs.goals.goal_environment import FAR_SHARE, GoalEnvironment, GoalState
from envs.goals.layouts import Layout

SPEED = 0.25
"""Most cells a step along each axis."""
RADIUS = 0.25
"""Of success, in cells."""


class PointMaze(GoalEnvironment[jax.Array]):
  """A point that moves freely in a maze until it meets a wall, along which it slides.

  The body is its position (x, y) in cells, float32 [2], x with the columns and y down with the
  rows; see `envs.goals.walls`. An action, float32 [2], is its displacement in x and y, in units of
  `SPEED`. A view is the position scaled to [-1, 1] over the maze, float32 [2]; or, in pixels, the
  maze from above, uint8 [3 R, 3 C, 3], with the point in red. Distances are lengths of the shortest
  way in cells, exact but for float32 (in pixels, within .01). A goal is reached within `RADIUS`
  cells as the crow flies, if no wall is between.
  """

  def __init__(
    self,
    layout: Layout,
    max_episode_steps: int | None = None,
    free: bool = False,
    goals: str = "uniform",
    random_start: bool = False,
    pixels: bool = False,
  ):
    """Builds the environment.

    Args:
      layout: the maze.
      max_episode_steps: length of an episode; None for twice as long as the way takes to the cell
        farthest from the start, at `SPEED` along one axis.
      free: no reward, and no end but time.
      goals: which are drawn, `uniform` or `far`.
      random_start: begin anywhere, and not in the start cell.
      pixels: see pictures, and not positions.

    Raises:
      ValueError: one line, for a maze that `walls.build` refuses, no steps or unknown goals.
    """
    self.world, self.start_cell = layout
    self.random_start, self.pixels = random_start, pixels
    size = (self.world.rows, self.world.columns)
    self.walls = walls.build(self.world.walls.reshape(size))
    self._background = picture.plan(
      self.walls.blocked, picture.VIEW_SIDE, picture.FLOOR, picture.WALL
    )
    cells = np.flatnonzero(self.places().reachable)
    self._cells = np.stack([cells % size[1], cells // size[1]], -1).astype(np.float32)
    self._first = np.array([self.start_cell % size[1], self.start_cell // size[1]], np.float32)
    lengths = self._lengths()
    self._far = self._cells[lengths >= np.quantile(lengths, 1 - FAR_SHARE)]
    if max_episode_steps is None:
      max_episode_steps = math.ceil(2 * lengths.max() / SPEED)
    super().__init__(max_episode_steps, free, goals)

  def _lengths(self) -> np.ndarray:
    """Lengths of the ways from the start cell's centre to those of all cells, [K]."""

    @jax.jit
    def ways(centres: jax.Array) -> jax.Array:
      return jax.lax.map(
        lambda to: walls.distance(self.walls, jnp.asarray(self._first + 0.5), to), centres
      )

    return np.asarray(ways(jnp.asarray(self._cells + 0.5)))

  def start(self, key: jax.Array) -> jax.Array:
    return self.anywhere(key) if self.random_start else _within(key, self._first[None])

  def move(self, body: jax.Array, action: jax.Array) -> jax.Array:
    return walls.slide(self.walls, body, SPEED * jnp.clip(action, -1.0, 1.0))

  def view(self, body: jax.Array) -> jax.Array:
    if self.pixels:
      return picture.view(self._background, body)
    return 2 * body / self._size() - 1

  def position(self, view: jax.Array) -> jax.Array:
    """The position (x, y) in cells, float32 [2], that is seen in a view."""
    return picture.position(view) if self.pixels else (view + 1) / 2 * self._size()

  def _size(self) -> np.ndarray:
    return np.array([self.world.columns, self.world.rows], np.float32)

  def view_spec(self) -> specs.BoundedArray:
    if self.pixels:
      return specs.BoundedArray(self._background.shape, np.uint8, 0, 255, "view")
    return specs.BoundedArray((2,), np.float32, -1.0, 1.0, "view")

  def action_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray((2,), np.float32, -1.0, 1.0, "displacement")

  def anywhere(self, key: jax.Array, far: bool = False) -> jax.Array:
    """A position drawn uniformly from the free cells, or from the third of them that is farthest.

    What counts is the way from the start cell's centre to a cell's.
    """
    return _within(key, self._far if far else self._cells)

  def distance(self, a: jax.Array, b: jax.Array) -> jax.Array:
    return walls.distance(self.walls, self.position(a), self.position(b))

  def reached(self, view: jax.Array, goal: jax.Array) -> jax.Array:
    here, there = self.position(view), self.position(goal)
    return (jnp.linalg.norm(here - there) < RADIUS) & walls.sees(self.walls, here, there)

  def places(self) -> Places:
    return self.world.places(self.start_cell)

  def oracle(self, state: GoalState) -> Oracle:
    """The cell that the point is in; there are no objects and no noise."""
    column, row = jnp.floor(state.body).astype(jnp.int32)
    return Oracle(row * self.world.columns + column, jnp.zeros(0, jnp.int32), jnp.bool_(False))

  def render(self, state: GoalState) -> jax.Array:
    """The maze from above, the goal's radius in green and the point in red, uint8 [H, W, 3]."""
    return picture.draw(self.walls.blocked, self.position(state.goal), RADIUS, state.body)


def _within(key: jax.Array, cells: np.ndarray) -> jax.Array:
  """A position in one of these cells, by their low corners float32 [K, 2], all alike likely."""
  cell_key, place_key = jax.random.split(key)
  cell = jnp.asarray(cells)[jax.random.randint(cell_key, (), 0, len(cells))]
  return cell + jax.random.uniform(place_key, (2,), jnp.float32, walls.HAIR, 1 - walls.HAIR)


registry.register(
  "goals/u_maze", summary="A point is sent anywhere in a U of four rooms, GO-FRESH's."
)(functools.partial(PointMaze, layouts.u_maze(), max_episode_steps=100))
registry.register("goals/four_rooms", summary="A point is sent anywhere in a ring of four rooms.")(
  functools.partial(PointMaze, layouts.four_rooms())
)
registry.register("goals/spiral", summary="A point is sent anywhere in a spiral corridor.")(
  functools.partial(PointMaze, layouts.spiral())
)


@registry.register("goals/random_maze")
def random_maze(
  size: int = 15,
  seed: int = 0,
  braid: float = 0.1,
  max_episode_steps: int | None = None,
  free: bool = False,
  goals: str = "uniform",
  random_start: bool = False,
  pixels: bool = False,
) -> PointMaze:
  """A point is sent anywhere in a maze drawn by lot; settings: `random_maze` and `PointMaze`."""
  layout = layouts.random_maze(size, seed, braid)
  return PointMaze(layout, max_episode_steps, free, goals, random_start, pixels)
