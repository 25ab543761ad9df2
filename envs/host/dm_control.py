"""The DeepMind Control Suite (Tassa et al. 2018, arXiv 1801.00690): bodies in MuJoCo."""

from __future__ import annotations

import warnings
from typing import Any

import dm_env
import numpy as np

from envs.action_repeat import repeated_steps, step_repeatedly
from envs.environment import registry
from envs.extras import extra
from envs.host.environment import Stepping
from envs.host.host import Host, draw_without_screen

PICTURE = (240, 320)
"""Height and width of `render`, pixels."""


class Rendered(dm_env.Environment):
  """A task of the suite with a `render()`, whose actions last `action_repeat` steps each."""

  def __init__(self, env: Any, action_repeat: int = 1):
    self._env, self._action_repeat = env, action_repeat

  def reset(self) -> dm_env.TimeStep:
    return self._env.reset()

  def step(self, action: Any) -> dm_env.TimeStep:
    return step_repeatedly(self._env, action, self._action_repeat)

  def observation_spec(self) -> Any:
    return self._env.observation_spec()

  def action_spec(self) -> Any:
    return self._env.action_spec()

  def render(self) -> np.ndarray:
    return self._env.physics.render(*PICTURE, camera_id=0)

  def close(self) -> None:
    self._env.close()


def _suite() -> Any:
  draw_without_screen()
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that there is no display, which only `render` may need
    return extra("dm_control.suite", "dm_control")


def _tasks() -> dict[str, tuple[str, str]]:
  return {f"{domain}_{task}": (domain, task) for domain, task in _suite().ALL_TASKS}


def names() -> list[str]:
  """All tasks: point_mass_easy, walker_walk, ..."""
  try:
    return list(_tasks())
  except ValueError as error:
    raise ImportError from error


@registry.family("dm_control/", "domain>_<task", names)
def dm_control(task: str, *, action_repeat: int = 1, stepping: Stepping | None = None) -> Host:
  """The DeepMind Control Suite: point_mass_easy, pendulum_swingup, walker_walk, ...

  Args:
    task: the domain and the task.
    action_repeat: steps that each action lasts.
    stepping: see `Host`.

  Raises:
    ValueError: if dm_control is not installed, or `action_repeat` is no integer from 1 on.
  """
  suite, (domain, name) = _suite(), _tasks()[task]
  repeated_steps(1, action_repeat)

  def build(seed: int) -> dm_env.Environment:
    return Rendered(suite.load(domain, name, task_kwargs={"random": seed}), action_repeat)

  probe = suite.load(domain, name)
  limit = int(np.ceil(probe._step_limit))  # time limit over time step; it has no public name
  return Host(build, stepping, repeated_steps(limit, action_repeat), probe=probe)
