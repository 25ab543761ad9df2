"""Environments by name, whoever wrote them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from envs.environment import Environment, registry
from envs.errors import own_frame, raised_by_us
from envs.host.adopted import adopt
from envs.host.environment import HostEnvironment
from envs.registry import SettingsError, check_call


def builder(name: str) -> Callable[..., Any]:
  """What builds the environment of a name, called with its settings.

  What `module:Name` builds may also be a gymnasium.Env or a dm_env.Environment, which is adopted as
  an environment on the host; see `envs.host.adopted.adopt`.

  Raises:
    UnknownNameError: for a name nobody answers to, with the nearest matches.
    ValueError: for one that names no class or function.
  """
  builds = registry.get(name)
  if not callable(builds):
    raise ValueError(f"environment {name!r} is a {type(builds).__name__}, not a class.")
  return adopt(builds) if registry.is_own(name) else builds


def make(name: str, **settings: Any) -> Environment | HostEnvironment:
  """Builds a registered environment, or one named `module:Name`.

  What `module:Name` builds may also be a gymnasium.Env or a dm_env.Environment: it is then an
  environment on the host, and may be told `stepping` (see `envs.host.host.Host`).

  Raises:
    UnknownNameError: for a name nobody answers to, with the nearest matches.
    ValueError: for a setting that the environment does not have, not one that it needs, or a
      value that an environment of ours refuses. What a person's own code raises is left as it is.
  """
  builds = builder(name)
  try:
    check_call(builds, settings)
    env = builds(**settings)
  except (SettingsError, TypeError) as error:
    # A TypeError is of what we were given, unless code of the person's own raised it.
    if isinstance(error, TypeError) and (own_frame(error) or not raised_by_us(error)):
      raise
    raise ValueError(f"environment {name!r} with {settings}: {error}") from error
  except ValueError as error:
    if not raised_by_us(error) or str(error).startswith((name, "environment ")):
      raise
    raise ValueError(f"environment {name!r}: {error}") from error
  if isinstance(env, HostEnvironment):
    env.name, env.settings = name, settings
  elif not isinstance(env, Environment):
    raise ValueError(
      f"environment {name!r} built a {type(env).__name__}, not an Environment: subclass"
      " gymnasium.Env or dm_env.Environment."
    )
  return env
