"""What every environment around another one has in common."""

from __future__ import annotations

import functools
from typing import Any

from dm_env import specs

from envs import capabilities
from envs.environment import Environment, State
from envs.observation import Spec


class Wrapper(Environment[State]):
  """An environment around another; what it does not change it passes on, the capabilities too.

  So `isinstance(wrapper, HasPlaces)` holds exactly where it holds of the environment within.

  Attributes:
    env: the environment within.
  """

  def __init__(self, env: Environment):
    self.env = env
    self.success_return = env.success_return
    self.max_episode_steps = env.max_episode_steps
    self.costly_reset = env.costly_reset
    self.costly_step = env.costly_step
    for name in capabilities.METHODS:
      if hasattr(env, name):
        setattr(self, name, getattr(env, name))
    for name in capabilities.STATE_METHODS:
      if hasattr(env, name):
        setattr(self, name, functools.partial(self._of_inner, name))

  def inner_state(self, state: State) -> Any:
    """The state of the environment within; the wrapper's own where it keeps nothing beside it."""
    return state

  def observation_spec(self) -> Spec:
    return self.env.observation_spec()

  def action_spec(self) -> specs.Array:
    return self.env.action_spec()

  def _of_inner(self, name: str, state: State) -> Any:
    return getattr(self.env, name)(self.inner_state(state))
