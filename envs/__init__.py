"""What Rarebird explores: the environment contract, its registry, adapters, and environments."""

from envs import adapters, classic, craftax, goals, hard, host, mazes, probes, xminigrid, zipf
from envs.auto_reset import AutoReset
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
from envs.gymnasium_names import register_all
from envs.host.environment import HostEnvironment, VectorEnvironment
from envs.make import make

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

register_all()
