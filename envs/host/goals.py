"""Environments on the host with goals: what is seen and what is to be seen.

The two leaves are those of `envs.goals.goal_environment`, and so is what is rewarded: reaching the
goal pays 1 and ends the episode; or, if `free`, nothing does, and only time ends an episode. A
`Scene` says what is seen and asked for. Its goals are views too, but not every entry of a view can
be demanded: `reached` and `distance` read those that can, and a goal holds in all others what could
be seen with them, so that one encoder reads both.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from types import ModuleType
from typing import Any

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.host.environment import Stepping
from envs.host.host import Host
from envs.observation import GOAL, VIEW


class Scene(abc.ABC):
  """A body in a simulator, its views float32 [N], and the goals it is given."""

  @abc.abstractmethod
  def reset(self) -> tuple[np.ndarray, np.ndarray]:
    """Starts an episode: returns what is seen and what is to be seen."""

  @abc.abstractmethod
  def step(self, action: np.ndarray) -> np.ndarray:
    """Returns what is seen one step later."""

  @abc.abstractmethod
  def view_spec(self) -> specs.Array:
    """Of one view."""

  @abc.abstractmethod
  def action_spec(self) -> specs.BoundedArray:
    """Of one action."""

  @abc.abstractmethod
  def render(self) -> np.ndarray:
    """Returns a picture, uint8 [H, W, 3]."""

  @abc.abstractmethod
  def close(self) -> None:
    """Frees the simulator."""


class Judge(abc.ABC):
  """What a goal asks for: functions of two views, NumPy's or JAX's as `xp` says."""

  @abc.abstractmethod
  def reached(self, view: Any, goal: Any, xp: ModuleType) -> Any:
    """Whether a view is as good as a goal, bool."""

  @abc.abstractmethod
  def distance(self, a: jax.Array, b: jax.Array) -> jax.Array:
    """Length of the way from view `a` to `b`, float32, for measuring, in the subclass's unit."""


class Paired(dm_env.Environment):
  """A scene as an environment whose episodes are ways to a goal."""

  def __init__(self, scene: Scene, judge: Judge, free: bool):
    self._scene, self._judge, self._free = scene, judge, free

  def reset(self) -> dm_env.TimeStep:
    view, self._goal = self._scene.reset()
    return dm_env.restart({VIEW: view, GOAL: self._goal})

  def step(self, action: Any) -> dm_env.TimeStep:
    view = self._scene.step(action)
    pair = {VIEW: view, GOAL: self._goal}
    if not self._free and self._judge.reached(view, self._goal, np):
      return dm_env.termination(1.0, pair)
    return dm_env.transition(0.0, pair)

  def observation_spec(self) -> dict[str, specs.Array]:
    return {VIEW: self._scene.view_spec(), GOAL: self._scene.view_spec()}

  def action_spec(self) -> specs.BoundedArray:
    return self._scene.action_spec()

  def render(self) -> np.ndarray:
    return self._scene.render()

  def close(self) -> None:
    self._scene.close()


class GoalHost(Host):
  """An environment on the host with goals; `reached` and `distance` are pure, for one view each.

  Attributes:
    free: no reward, and no end but time.
  """

  def __init__(
    self,
    build: Callable[[int], Scene],
    judge: Judge,
    free: bool,
    max_episode_steps: int,
    stepping: Stepping | None,
  ):
    """Describes the environment of the scenes that `build(seed)` makes.

    Raises:
      ValueError: one line, for no steps or another way of stepping.
    """
    super().__init__(
      lambda seed: Paired(build(seed), judge, free),
      stepping,
      max_episode_steps=max_episode_steps,
      success_return=1.0,
      apart=True,
    )
    self.judge, self.free = judge, free

  def view_spec(self) -> specs.Array:
    """Of one view [N]."""
    pair: Any = self.observation_spec()
    return pair[VIEW]

  def reached(self, view: jax.Array, goal: jax.Array) -> jax.Array:
    """Whether `view` is as good as `goal`, bool."""
    return self.judge.reached(view, goal, jnp)

  def distance(self, a: jax.Array, b: jax.Array) -> jax.Array:
    """Length of the way from what is seen in view `a` to `b`, float32, for measuring."""
    return self.judge.distance(a, b)
