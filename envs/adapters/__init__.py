"""To and from the interfaces that other libraries speak: dm_env and gymnasium.

An environment that runs on the host (Atari, MiniGrid, ...) is simply a `dm_env.Environment`, so one
that is a dm_env already needs no adapter.
"""

from envs.adapters.dm_env import to_dm_env
from envs.adapters.gymnasium import (
  from_gymnasium,
  register_all,
  to_gymnasium,
  to_gymnasium_vector,
)
from envs.gymnasium_names import gymnasium_id

__all__ = [
  "from_gymnasium",
  "gymnasium_id",
  "register_all",
  "to_dm_env",
  "to_gymnasium",
  "to_gymnasium_vector",
]
