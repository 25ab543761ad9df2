"""What is explored: the environment contract, its registry, adapters, and the environments."""

from envs import hard, probes, zipf
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
  "hard",
  "make",
  "probes",
  "register",
  "registry",
  "restart",
  "transition",
  "zipf",
]
