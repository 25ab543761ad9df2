"""A person's own gymnasium.Env or dm_env.Environment, adopted as an environment on the host."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import dm_env
import gymnasium

from envs.adapters.spaces import Masks
from envs.environment import Environment
from envs.host import building
from envs.host.environment import Stepping
from envs.host.host import EPISODE_LIMIT, READING, Host, first_given, from_gym


def adopt(builder: Any) -> Any:
  """A user's own builder, which may then also build a gymnasium.Env or a dm_env.Environment.

  Its settings are the builder's, `stepping` and, unless the builder has a setting of that name,
  those of `READING`; see `Host`. A builder that has a setting `seed` is given one for each copy,
  unless it is given by hand; gymnasium environments are seeded by their `reset` too. One that has
  a setting `render_mode` is asked for pictures, where it offers them.
  """
  if not callable(builder) or (inspect.isclass(builder) and issubclass(builder, Environment)):
    return builder
  try:
    signature = inspect.signature(builder)
  except ValueError:  # a builtin, which builds no environment
    return builder
  if "stepping" in signature.parameters:  # it builds a HostEnvironment and knows all this
    return builder

  added = [name for name in ("stepping", *READING) if name not in signature.parameters]

  @functools.wraps(builder)
  def build(**settings: Any) -> Any:
    ours = {name: settings.pop(name, None) for name in added}
    make = functools.partial(builder, **settings)
    env, another = building.first_built(builder, make, settings)
    if isinstance(env, gymnasium.Env | dm_env.Environment):
      return _own(env, another, **ours)
    for name, value in ours.items():
      if value is not None:
        raise ValueError(f"a {type(env).__name__} has no setting {name!r}.")
    return env

  optional = inspect.Parameter("stepping", inspect.Parameter.KEYWORD_ONLY, default=None)
  known = {**signature.parameters, **{name: optional.replace(name=name) for name in added}}
  if "seed" in known and known["seed"].default is inspect.Parameter.empty:  # it is drawn
    known["seed"] = optional.replace(name="seed")
  parameters = sorted(known.values(), key=lambda parameter: parameter.kind)
  build.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
  return build


def _own(
  env: Any,
  another: Callable[[int], Any],
  stepping: Stepping | None = None,
  masks: Masks = None,
  **reading: Any,
) -> Host:
  spec = getattr(env, "spec", None)

  def attribute(name: str, registered: str, default: Any) -> Any:
    return first_given(getattr(env, name, None), getattr(spec, registered, None), default)

  def build(seed: int) -> dm_env.Environment:
    env = another(seed)
    return from_gym(env, seed, masks) if isinstance(env, gymnasium.Env) else env

  host = Host(
    build,
    first_given(stepping, "processes"),
    max_episode_steps=attribute("max_episode_steps", "max_episode_steps", EPISODE_LIMIT),
    success_return=attribute("success_return", "reward_threshold", math.inf),
    cells=getattr(env, "cell_pixels", None),
    probe=from_gym(env, 0, masks) if isinstance(env, gymnasium.Env) else env,
    masks=masks,
    **reading,
  )
  host.observation_spec()  # now, so that what is unsupported is told at once
  return host
