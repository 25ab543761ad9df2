"""Gymnasium-Robotics' mazes: a ball (PointMaze) or an ant (AntMaze) is sent to a place.

As there (de Lazcano et al. 2023), a goal is reached within .45 m; unlike there, reaching it ends
the episode. A view is the place (x, y) in metres and then all else that the library observes:
velocities, and of the ant its height, joints and contact forces. Only the place can be demanded; in
all else a goal shows what the episode began with.
"""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.environment import registry
from envs.extras import extra
from envs.goals import walls
from envs.host.environment import Stepping
from envs.host.goals import GoalHost, Judge, Scene
from envs.host.host import EPISODE_LIMIT, draw_without_screen, first_given

RADIUS = 0.45
"""Of success, metres."""


class MazeScene(Scene):
  """One of the library's mazes, its dicts turned into views."""

  def __init__(self, env: Any, seed: int):
    self._env = env
    self._seed: int | None = seed

  def reset(self) -> tuple[np.ndarray, np.ndarray]:
    found, _ = self._env.reset(seed=self._seed)
    self._seed = None  # one seed is for the whole sequence of episodes
    view = self._view(found)
    goal = view.copy()
    goal[:2] = found["desired_goal"]
    return view, goal

  def step(self, action: np.ndarray) -> np.ndarray:
    return self._view(self._env.step(action)[0])

  def _view(self, found: dict[str, np.ndarray]) -> np.ndarray:
    place, rest = found["achieved_goal"], found["observation"]
    # The ball's observation begins with its place; the ant's leaves it out.
    parts = [rest] if self._holds_place else [place, rest]
    return np.concatenate(parts).astype(np.float32)

  @property
  def _holds_place(self) -> bool:
    return self._env.spec.id.startswith("PointMaze")

  def view_spec(self) -> specs.Array:
    size = self._env.observation_space["observation"].shape[0]
    return specs.Array((size if self._holds_place else size + 2,), np.float32, "view")

  def action_spec(self) -> specs.BoundedArray:
    space = self._env.action_space
    return specs.BoundedArray(space.shape, np.float32, space.low, space.high, "action")

  def render(self) -> np.ndarray:
    return self._env.render()

  def close(self) -> None:
    self._env.close()


class Place(Judge):
  """Being near a place; ways are those of a point between the maze's walls, in metres."""

  def __init__(self, maze: Any):
    self._side = np.float32(maze.maze_size_scaling)
    self._corner = np.array([-maze.x_map_center, maze.y_map_center], np.float32)
    self._walls = walls.build(np.array([[cell == 1 for cell in row] for row in maze.maze_map]))

  def reached(self, view: Any, goal: Any, xp: ModuleType) -> Any:
    return xp.linalg.norm(view[:2] - goal[:2]) <= RADIUS

  def distance(self, a: jax.Array, b: jax.Array) -> jax.Array:
    start, end = (self._cells(place) for place in (a[:2], b[:2]))
    return self._side * walls.distance(self._walls, start, end)

  def _cells(self, place: jax.Array) -> jax.Array:
    """A place, y up, in cells, y down."""
    return jnp.abs(place - self._corner) / self._side


def _library() -> None:
  draw_without_screen()
  module = extra("gymnasium_robotics", "gymnasium_robotics")
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    gymnasium.register_envs(module)


def names() -> list[str]:
  """All mazes: PointMaze_UMaze-v3, AntMaze_UMaze-v5, ..."""
  try:
    _library()
  except ValueError as error:
    raise ImportError from error
  return sorted(id for id in gymnasium.registry if "Maze_" in id and "Dense" not in id)


@registry.family("gymnasium_robotics/", "maze", names)
def maze(
  id: str,
  *,
  max_episode_steps: int | None = None,
  free: bool = False,
  stepping: Stepping | None = None,
) -> GoalHost:
  """A ball or an ant is sent to a place in a maze: PointMaze_UMaze-v3, AntMaze_UMaze-v5, ...

  Args:
    id: the library's.
    max_episode_steps: by default the library's: 300 for the ball's U, 700 for the ant's.
    free: no reward, and no end but time.
    stepping: see `Host`.

  Raises:
    ValueError: if the library is not installed, or for a maze that `envs.goals.walls` refuses.
  """
  _library()
  registered = gymnasium.spec(id).max_episode_steps
  max_episode_steps = first_given(max_episode_steps, registered, EPISODE_LIMIT)

  def make() -> Any:
    return gymnasium.make(
      id,
      max_episode_steps=-1,
      disable_env_checker=True,
      continuing_task=True,  # it is ended here
      render_mode="rgb_array",
    )

  probe = make()
  judge = Place(probe.unwrapped.maze)
  probe.close()
  return GoalHost(lambda seed: MazeScene(make(), seed), judge, free, max_episode_steps, stepping)
