"""Any gymnasium environment by its id: `gym:CartPole-v1`, `gym:module:Id-v0`."""

from __future__ import annotations

import importlib
import math
from typing import Any

import dm_env
import gymnasium

from envs.environment import registry
from envs.host import building
from envs.host.host import EPISODE_LIMIT, Host, Stepping, first_given, from_gym

CHEAP = ("gymnasium.envs.classic_control", "gymnasium.envs.toy_text")
"""Environments whose step takes microseconds, less than a message to another process."""


@registry.family("gym:", "id")
def gym(
  id: str,
  *,
  stepping: Stepping | None = None,
  max_episode_steps: int | None = None,
  render_mode: str | None = None,
  **settings: object,
) -> Host:
  """Any gymnasium environment.

  Args:
    id: gymnasium's; "module:Id-v0" imports the module first.
    stepping: see `Host`; by default serial where a step takes microseconds, else processes.
    max_episode_steps: by default the id's own.
    render_mode: what gymnasium is asked for; by default pictures, where the environment offers
      them.
    **settings: the environment's own. A `seed` that its constructor takes is drawn for each copy,
      unless it is given here or registered with the id.

  Raises:
    ValueError: one line, for an id that gymnasium does not know, spaces that are not supported, or
      with what the environment's constructor raised.
  """
  module, _, known_as = id.rpartition(":")
  try:
    if module:
      importlib.import_module(module)
    spec = gymnasium.spec(known_as)
    creator = _creator(spec)

    def make(**more: Any) -> gymnasium.Env:
      return gymnasium.make(
        known_as, max_episode_steps=-1, disable_env_checker=True, **settings | more
      )

    given = {**spec.kwargs, **settings}
    if render_mode is not None:
      settings["render_mode"] = render_mode
    drawn: dict[str, str] = {}
    if render_mode is not None or "render_mode" in given:
      env = make()
    else:
      env, drawn = building.build_drawn(creator, make)
  except (gymnasium.error.Error, ImportError) as error:
    raise ValueError(f"gym:{id}: {error}") from error
  except Exception as error:  # whatever the environment's own code raises
    raise building.told(f"gym:{id}", error) from error
  if stepping is None:
    stepping = "serial" if type(env.unwrapped).__module__.startswith(CHEAP) else "processes"
  seeded = "seed" not in given and building.setting(creator, "seed") is not None

  def build(seed: int) -> dm_env.Environment:
    return from_gym(make(**drawn, **({"seed": seed} if seeded else {})), seed)

  host = Host(
    build,
    stepping,
    max_episode_steps=first_given(max_episode_steps, spec.max_episode_steps, EPISODE_LIMIT),
    success_return=first_given(spec.reward_threshold, math.inf),
    probe=from_gym(env, 0),
  )
  host.observation_spec()  # now, so that what is unsupported is told at once
  return host


def _creator(spec: gymnasium.envs.registration.EnvSpec) -> Any:
  """The class or function that builds an id's environments; None where none is registered."""
  entry = spec.entry_point
  if isinstance(entry, str):
    return gymnasium.envs.registration.load_env_creator(entry)
  return entry
