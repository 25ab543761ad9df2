"""The DeepMind Control Suite's walker, sent to poses: lying, kneeling, on its head.

The 12 poses are LEXA's (Mendonca et al. 2021, arXiv 2110.09514); horizon, distance and success are
GO-FRESH's (arXiv 2301.02099): 500 steps of two of the suite's, and success where height, trunk,
hips and knees are all within .7 m or rad, the legs alike or exchanged. A view is the suite's
observation, float32 [24]: which way its 7 parts point (cosine and sine each), its height, and 9
velocities. Parts and height can be demanded, velocities not; a goal is seen at rest.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.environment import registry
from envs.host.dm_control import PICTURE, _suite
from envs.host.environment import Stepping
from envs.host.goals import GoalHost, Judge, Scene

RADIUS = 0.7
"""Of success, metres and radians."""
REPEAT = 2
"""Steps of the suite in one of ours."""
PARTS = 7
POSES = {
  "lie_back": (-1.2, -1.57, (0, 0, 0), (0, 0, 0)),
  "lie_front": (-1.2, 1.57, (0, 0, 0), (0, 0, 0)),
  "legs_up": (-1.24, -1.57, (1.57, 0, 0), (1.57, 0, 0)),
  "kneel": (-0.5, 0, (0, -1.57, -0.8), (1.57, -1.57, 0)),
  "side_angle": (-0.3, 0.9, (0, 0, -0.7), (1.87, -1.07, 0)),
  "stand_up": (-0.15, 0.34, (0.74, -1.34, 0), (1.1, -0.66, -0.1)),
  "lean_back": (-0.27, -0.45, (0.22, -1.5, 0.86), (0.6, -0.8, -0.4)),
  "boat": (-1.04, -0.8, (1.6, 0, 0), (1.6, 0, 0)),
  "bridge": (-1.1, -2.2, (-0.3, -1.5, 0), (-0.3, -0.8, -0.4)),
  "one_foot": (-0.2, 0, (0.7, -1.34, 0.5), (1.5, -0.6, 0.1)),
  "head_stand": (-1, -3, (0.6, -1, -0.3), (0.9, -0.5, 0.3)),
  "arabesque": (-0.34, 1.57, (1.57, 0, 0), (0, 0, 0)),
}
"""Height against standing, m; the trunk's turn; hip, knee and ankle of the right leg, the left."""


class WalkerScene(Scene):
  """The suite's walker, from its own starts, each time towards a pose drawn by lot."""

  def __init__(self, seed: int):
    self._env = _suite().load("walker", "stand", task_kwargs={"random": seed})
    self._rng = np.random.default_rng(seed)

  def reset(self) -> tuple[np.ndarray, np.ndarray]:
    height, turn, right, left = list(POSES.values())[self._rng.integers(len(POSES))]
    goal = self.pose(np.array([height, 0, turn, *right, *left]))
    self._env.reset()
    return self._view(), goal

  def pose(self, positions: np.ndarray) -> np.ndarray:
    """The view of the walker at rest in these positions [9], after which it must be reset."""
    physics = self._env.physics
    with physics.reset_context():
      physics.data.qpos[:] = positions
    return self._view()

  def step(self, action: np.ndarray) -> np.ndarray:
    for _ in range(REPEAT):
      self._env.step(action)
    return self._view()

  def _view(self) -> np.ndarray:
    seen = self._env.task.get_observation(self._env.physics)
    return np.concatenate([np.ravel(value) for value in seen.values()]).astype(np.float32)

  def view_spec(self) -> specs.Array:
    return specs.Array((2 * PARTS + 10,), np.float32, "view")

  def action_spec(self) -> specs.BoundedArray:
    spec = self._env.action_spec()
    return specs.BoundedArray(spec.shape, np.float32, spec.minimum, spec.maximum, "action")

  def render(self) -> np.ndarray:
    return self._env.physics.render(*PICTURE, camera_id=0)

  def close(self) -> None:
    self._env.close()


class Pose(Judge):
  """Being in a pose; ankles and where the walker stands do not count."""

  def reached(self, view: Any, goal: Any, xp: ModuleType) -> Any:
    return _apart(view, goal, xp) < RADIUS

  def distance(self, a: jax.Array, b: jax.Array) -> jax.Array:
    """The largest of what height, m, trunk, hips and knees, rad, differ by."""
    return _apart(a, b, jnp)


def _apart(view: Any, goal: Any, xp: ModuleType) -> Any:
  one, other = _positions(view, xp), _positions(goal, xp)
  exchanged = other[np.array([0, 1, 4, 5, 2, 3])]
  return xp.minimum(
    abs(_shortest(one - other, xp)).max(), abs(_shortest(one - exchanged, xp)).max()
  )


def _positions(view: Any, xp: ModuleType) -> Any:
  """Height, trunk, hip and knee of the right leg and of the left, [6], of a view."""
  pointing = view[: 2 * PARTS].reshape(PARTS, 2)
  torso, right_thigh, right_leg, _, left_thigh, left_leg, _ = xp.arctan2(
    pointing[:, 1], pointing[:, 0]
  )
  right, left = (right_thigh, right_leg), (left_thigh, left_leg)
  joints = [_shortest(x, xp) for thigh, leg in (right, left) for x in (torso - thigh, thigh - leg)]
  return xp.stack([view[2 * PARTS], torso, *joints])


def _shortest(angle: Any, xp: ModuleType) -> Any:
  """The same angle from -pi to pi; heights differ by less."""
  return xp.mod(angle + np.float32(np.pi), np.float32(2 * np.pi)) - np.float32(np.pi)


@registry.family("dm_control_goals/", "body", lambda: ["walker"])
def poses(
  body: str,
  *,
  max_episode_steps: int = 500,
  free: bool = False,
  stepping: Stepping | None = None,
) -> GoalHost:
  """The DeepMind Control Suite's walker is to take poses: walker.

  Args:
    body: the walker.
    max_episode_steps: length of an episode that does not reach its goal.
    free: no reward, and no end but time.
    stepping: see `Host`.

  Raises:
    ValueError: if dm_control is not installed.
  """
  _suite()
  return GoalHost(WalkerScene, Pose(), free, max_episode_steps, stepping)
