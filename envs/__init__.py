"""What Rarebird explores: the environment contract, its registry, adapters, and environments."""

from envs import adapters, classic, craftax, goals, hard, host, mazes, probes, xminigrid, zipf
from envs.environment import (
  FIRST,
  LAST,
  MID,
  AutoReset,
  Environment,
  Oracle,
  Places,
  Reference,
  make,
  register,
  registry,
  restart,
  transition,
)
from envs.vector import HostEnvironment, VectorEnvironment

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
  "adapters",
  "classic",
  "craftax",
  "goals",
  "hard",
  "host",
  "make",
  "mazes",
  "probes",
  "register",
  "registry",
  "restart",
  "transition",
  "xminigrid",
  "zipf",
]

adapters.register_all()
