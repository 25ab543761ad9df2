"""Environments on the host: Atari, MiniGrid, any gymnasium or dm_env environment, a user's own.

Importing this registers the families by name; the libraries behind them are imported when an
environment is made.
"""

from envs.host import (
  atari,
  bsuite,
  dm_control,
  goal_mazes,
  gym,
  minigrid,
  vizdoom,
  walker_poses,
)
from envs.host.host import Host

__all__ = [
  "Host",
  "atari",
  "bsuite",
  "dm_control",
  "goal_mazes",
  "gym",
  "minigrid",
  "vizdoom",
  "walker_poses",
]
