"""Any gymnasium environment by its id: `gym:CartPole-v1`, `gym:module:Id-v0`."""

from __future__ import annotations

import math
from typing import Any

import dm_env
import gymnasium

from envs.adapters.spaces import Masks
from envs.environment import registry
from envs.host import building, gymnasium_ids
from envs.host.environment import Stepping
from envs.host.host import EPISODE_LIMIT, Host, first_given, from_gym
from envs.own_modules import UnknownNameError, import_own
from envs.registry import SettingsError

CHEAP = ("gymnasium.envs.classic_control", "gymnasium.envs.toy_text")
"""Environments whose step takes microseconds, less than a message to another process."""


@registry.family("gym:", "id")
def gym(
  id: str,
  *,
  stepping: Stepping | None = None,
  max_episode_steps: int | None = None,
  render_mode: str | None = None,
  masks: Masks = None,
  text_words: int | None = None,
  text_length: int | None = None,
  **settings: object,
) -> Host:
  """Any gymnasium environment.

  Args:
    id: gymnasium's; "module:Id-v0" imports the module first, from the working directory too.
    stepping: see `Host`; by default serial where a step takes microseconds, else processes.
    max_episode_steps: by default the id's own.
    render_mode: what gymnasium is asked for; by default pictures, where the environment offers
      them.
    masks: "ignored" leaves masks of actions out: masked actions are taken too.
    text_words, text_length: how text is read, see `Host`.
    **settings: the environment's own. A `seed` that its constructor takes is drawn for each copy,
      unless it is given here or registered with the id.

  Raises:
    ValueError: one line, for an id that gymnasium does not know or a family of ours has, or spaces
      that are not supported.
  """
  module, _, known_as = id.rpartition(":")
  ours = gymnasium_ids.ours(known_as)
  instead = f" Write {ours[0]}: {ours[1]}." if ours else ""
  if ours and not module:
    raise ValueError(f"gym:{id} has a family of its own here.{instead}")
  try:
    if module:
      import_own(module, f":{known_as}")
    else:
      gymnasium_ids.register(known_as)
    spec = gymnasium.spec(known_as)

    def make(**more: Any) -> gymnasium.Env:
      return gymnasium.make(
        known_as, max_episode_steps=-1, disable_env_checker=True, **settings | more
      )

    if render_mode is not None:
      settings["render_mode"] = render_mode
    env, another = building.first_built(_creator(spec), make, spec.kwargs | settings)
  except (gymnasium.error.Error, ImportError, SettingsError, UnknownNameError) as error:
    raise ValueError(f"gym:{id}: {error}") from error
  if stepping is None:
    stepping = "serial" if type(env.unwrapped).__module__.startswith(CHEAP) else "processes"

  def build(seed: int) -> dm_env.Environment:
    return from_gym(another(seed), seed, masks)

  try:
    host = Host(
      build,
      stepping,
      max_episode_steps=first_given(max_episode_steps, spec.max_episode_steps, EPISODE_LIMIT),
      success_return=first_given(spec.reward_threshold, math.inf),
      probe=from_gym(env, 0, masks),
      masks=masks,
      text_words=text_words,
      text_length=text_length,
    )
    host.observation_spec()  # now, so that what is unsupported is told at once
  except ValueError as error:
    raise ValueError(f"gym:{id}: {error}{instead}") from error
  return host


def _creator(spec: gymnasium.envs.registration.EnvSpec) -> Any:
  """The class or function that builds an id's environments; None where none is registered."""
  entry = spec.entry_point
  if isinstance(entry, str):
    return gymnasium.envs.registration.load_env_creator(entry)
  return entry
