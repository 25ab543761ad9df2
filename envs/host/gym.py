"""Any gymnasium environment by its id: `gym:CartPole-v1`, `gym:module:Id-v0`."""

from __future__ import annotations

import math

import gymnasium

from envs.environment import registry
from envs.host import gymnasium_ids
from envs.host.host import EPISODE_LIMIT, Host, Stepping, from_gym
from envs.registry import UnknownNameError, import_own

CHEAP = ("gymnasium.envs.classic_control", "gymnasium.envs.toy_text")
"""Environments whose step takes microseconds, less than a message to another process."""


@registry.family("gym:", "id")
def gym(
  id: str,
  *,
  stepping: Stepping | None = None,
  max_episode_steps: int | None = None,
  render_mode: str | None = "rgb_array",
  **settings: object,
) -> Host:
  """Any gymnasium environment.

  Args:
    id: gymnasium's; "module:Id-v0" imports the module first, from the working directory too.
    stepping: see `Host`; by default serial where a step takes microseconds, else processes.
    max_episode_steps: by default the id's own.
    render_mode: what gymnasium is asked for, where the environment has it.
    **settings: the environment's own.

  Raises:
    ValueError: for an id that gymnasium does not know or a family of ours has, or spaces that are
      not supported.
  """
  module, _, known_as = id.rpartition(":")
  ours = gymnasium_ids.ours(known_as)
  instead = f" Write {ours[0]}: {ours[1]}." if ours else ""
  if ours and not module:
    raise ValueError(f"gym:{id} has a family of its own here.{instead}")
  try:
    if module:
      import_own(module)
    else:
      gymnasium_ids.register(known_as)
    spec = gymnasium.spec(known_as)
    limit = max_episode_steps or spec.max_episode_steps or EPISODE_LIMIT

    def make(render_mode: str | None = render_mode) -> gymnasium.Env:
      return gymnasium.make(
        known_as,
        max_episode_steps=-1,
        disable_env_checker=True,
        render_mode=render_mode,
        **settings,
      )

    try:
      env = make()
    except TypeError:  # an environment without any rendering
      render_mode = None
      env = make(None)
  except (gymnasium.error.Error, ImportError, UnknownNameError) as error:
    raise ValueError(f"gym:{id}: {error}") from error
  if stepping is None:
    stepping = "serial" if type(env.unwrapped).__module__.startswith(CHEAP) else "processes"
  threshold = spec.reward_threshold
  try:
    host = Host(
      lambda seed: from_gym(make(render_mode), seed),
      stepping,
      max_episode_steps=limit,
      success_return=math.inf if threshold is None else threshold,
      probe=from_gym(env, 0),
    )
    host.observation_spec()  # now, so that what is unsupported is told at once
  except ValueError as error:
    raise ValueError(f"gym:{id}: {error}{instead}") from error
  return host
