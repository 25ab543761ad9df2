"""To and from the interfaces that other libraries speak: dm_env and gymnasium.

An environment that runs on the host (Atari, MiniGrid, ...) is simply a `dm_env.Environment`, so one
that is a dm_env already needs no adapter.
"""

from envs.adapters.dm_env import to_dm_env
from envs.adapters.from_gymnasium import from_gymnasium
from envs.adapters.to_gymnasium import to_gymnasium, to_gymnasium_vector

__all__ = ["from_gymnasium", "to_dm_env", "to_gymnasium", "to_gymnasium_vector"]
