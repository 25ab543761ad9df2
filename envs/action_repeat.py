"""Action repeat: each action is applied for several steps of the environment, rewards added up.

What random actions reach is wider, and what is to be learned shorter (Hafner et al. 2019, arXiv
1811.04551, table 1, has 2 to 8 for tasks of the DeepMind Control Suite). Returns are of the whole
episode, as without it; steps are counted in actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dm_env
import jax
import jax.numpy as jnp
import numpy as np

from envs.environment import LAST, Environment, State
from envs.wrapper import Wrapper


def repeated_steps(steps: int, count: int) -> int:
  """How many actions of `count` steps each an episode of `steps` has; the last may be cut short.

  Raises:
    ValueError: for a `count` that is no integer from 1 on.
  """
  if not isinstance(count, int) or count < 1:
    raise ValueError(f"action_repeat is {count!r}; it must be an integer, at least 1.")
  return -(-steps // count)


def repeat_actions(env: Environment[State], count: int) -> Environment[State]:
  """The environment with each action applied `count` times; itself for 1.

  Raises:
    ValueError: for a `count` that is no integer from 1 on.
  """
  repeated_steps(env.max_episode_steps, count)
  return ActionRepeat(env, count) if count != 1 else env


class ActionRepeat(Wrapper[State]):
  """An environment whose actions last `count` steps each, or until the episode ends."""

  def __init__(self, env: Environment[State], count: int):
    super().__init__(env)
    self.count = count
    self.max_episode_steps = repeated_steps(env.max_episode_steps, count)

  def reset(self, key: jax.Array) -> tuple[State, dm_env.TimeStep]:
    return self.env.reset(key)

  def step(self, state: State, action: jax.Array) -> tuple[State, dm_env.TimeStep]:
    """As the contract says; the reward is the sum over the steps, none after a LAST counted."""

    def again(
      before: tuple[State, dm_env.TimeStep], _: None
    ) -> tuple[tuple[State, dm_env.TimeStep], None]:
      after = self.env.step(before[0], action)
      after = (after[0], after[1]._replace(reward=before[1].reward + after[1].reward))
      ended = before[1].step_type == LAST
      return jax.tree.map(lambda old, new: jnp.where(ended, old, new), before, after), None

    first = self.env.step(state, action)
    return jax.lax.scan(again, first, None, length=self.count - 1)[0]

  def splits(self) -> Mapping[str, Environment]:
    return {name: ActionRepeat(env, self.count) for name, env in self.env.splits().items()}


def step_repeatedly(env: dm_env.Environment, action: Any, count: int) -> dm_env.TimeStep:
  """`ActionRepeat` for one on the host, amid an episode: the last of up to `count` steps, with all
  their reward and its own discount."""
  reward = np.float64(0.0)
  for _ in range(count):
    timestep = env.step(action)
    reward += timestep.reward
    if timestep.last():
      break
  return timestep._replace(reward=reward)
