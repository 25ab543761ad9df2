"""What Rarebird explores: the environment contract, its registry, adapters, and the environments.

Names and rooms are imported when they are first asked for, as the contract needs JAX, and a list of
the environments' names does not. An environment's file is imported by the registry when it is made.
"""

import importlib
from typing import TYPE_CHECKING, Any

from envs import gymnasium_names

if TYPE_CHECKING:
  from envs.auto_reset import AutoReset
  from envs.by_name import make
  from envs.capabilities import Oracle, Places
  from envs.environment import (
    FIRST,
    LAST,
    MID,
    Environment,
    Reference,
    register,
    registry,
    restart,
    transition,
  )
  from envs.host.environment import HostEnvironment, VectorEnvironment

__all__ = [
  "FIRST",
  "LAST",
  "MID",
  "AutoReset",
  "Environment",
  "HostEnvironment",
  "Oracle",
  "Places",
  "Reference",
  "VectorEnvironment",
  "make",
  "register",
  "registry",
  "restart",
  "transition",
]

HOMES = {
  "AutoReset": "auto_reset",
  "HostEnvironment": "host.environment",
  "Oracle": "capabilities",
  "Places": "capabilities",
  "VectorEnvironment": "host.environment",
  "make": "by_name",
}
"""Where a public name is defined, if not in environment.py."""
ROOMS = (
  "adapters",
  "classic",
  "craftax",
  "goals",
  "hard",
  "host",
  "mazes",
  "probes",
  "xminigrid",
  "zipf",
)


def __getattr__(name: str) -> Any:
  if name in ROOMS:
    return importlib.import_module(f"envs.{name}")
  if name not in __all__:
    raise AttributeError(f"module 'envs' has no attribute {name!r}")
  # The room of a name is kept here too, so that this is asked once.
  value = globals()[name] = getattr(
    importlib.import_module(f"envs.{HOMES.get(name, 'environment')}"), name
  )
  return value


gymnasium_names.register_ours()
