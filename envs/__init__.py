"""What is explored: the environment contract, its registry, adapters, and the environments."""

from envs import adapters, hard, probes, zipf
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

__all__ = [
  "FIRST",
  "LAST",
  "MID",
  "AutoReset",
  "Environment",
  "Reference",
  "adapters",
  "hard",
  "make",
  "probes",
  "register",
  "registry",
  "restart",
  "transition",
  "zipf",
]

adapters.register_all()
