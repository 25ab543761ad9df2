"""What is explored: the environment contract, its registry, adapters, and the environments."""

from envs import adapters, craftax, hard, host, mazes, probes, zipf
from envs.environment import (
  FIRST,
  LAST,
  MID,
  AutoReset,
  Environment,
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
  "Reference",
  "VectorEnvironment",
  "adapters",
  "craftax",
  "hard",
  "host",
  "make",
  "mazes",
  "probes",
  "register",
  "registry",
  "restart",
  "transition",
  "zipf",
]

adapters.register_all()
