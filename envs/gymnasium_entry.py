"""What `gymnasium.make("rarebird/zipf-gridworld-v0")` calls."""

from __future__ import annotations

from typing import Any

import gymnasium

from envs import gymnasium_names
from envs.adapters.to_gymnasium import RENDER_METADATA, to_gymnasium, to_gymnasium_vector
from envs.by_name import make
from envs.environment import Environment, registry


def register_all() -> None:
  """Files every environment registered so far with gymnasium, a user's own too."""
  for name in registry.names():
    gymnasium_names.register(name)


def make_registered(name: str, render_mode: str | None = None, **settings: Any) -> gymnasium.Env:
  """The entry point behind `gymnasium.make`."""
  return to_gymnasium(_make_functional(name, settings), render_mode)


# gymnasium.make reads it to offer the modes "human" and "rgb_array_list" by its own wrappers.
make_registered.metadata = RENDER_METADATA  # type: ignore[attr-defined]


def make_registered_vector(
  name: str, num_envs: int, render_mode: str | None = None, **settings: Any
) -> gymnasium.vector.VectorEnv:
  """The entry point behind `gymnasium.make_vec`."""
  return to_gymnasium_vector(_make_functional(name, settings), num_envs, render_mode)


def _make_functional(name: str, settings: dict[str, Any]) -> Environment:
  env = make(name, **settings)
  if not isinstance(env, Environment):
    raise ValueError(f"environment {name!r} runs on the host; gymnasium can make it by itself.")
  return env
