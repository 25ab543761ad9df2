"""MiniGrid's gridworlds (Chevalier-Boisvert et al. 2023, arXiv 2306.13831)."""

from __future__ import annotations

from typing import Any

import dm_env
import gymnasium
import numpy as np

from envs.environment import registry
from envs.host.host import Host, Stepping, extra, from_gym

ANY_REWARD = 1e-6
"""A return above this is a success: the goal pays 1 - 0.9 steps / limit, and nothing else does."""
CATEGORIES = 11
"""Numbers of MiniGrid's objects, 0 to 10; colours (0 to 5) and door states (0 to 2) are fewer."""
TILE_PIXELS = 8


class Symbols(gymnasium.ObservationWrapper):
  """The agent's view as categories: int32 [7, 7, 3] of object, colour and state."""

  def __init__(self, env: Any):
    super().__init__(env)
    shape = env.observation_space["image"].shape
    self.observation_space = gymnasium.spaces.Box(0, CATEGORIES - 1, shape, np.int32)

  def observation(self, observation: dict[str, Any]) -> np.ndarray:
    return observation["image"]


class Pixels(gymnasium.ObservationWrapper):
  """The agent's view as a picture: uint8 [56, 56, 3]."""

  def __init__(self, env: Any):
    super().__init__(env)
    height, width, _ = env.observation_space["image"].shape
    shape = (height * TILE_PIXELS, width * TILE_PIXELS, 3)
    self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)

  def observation(self, observation: dict[str, Any]) -> np.ndarray:
    grid: Any = self.unwrapped
    return grid.get_frame(tile_size=TILE_PIXELS, agent_pov=True)


def names() -> list[str]:
  """MiniGrid's ids without "MiniGrid-" and "-v0": DoorKey-5x5, KeyCorridorS3R3, ..."""
  import minigrid  # noqa: F401  registers them

  ids = [id for id in gymnasium.registry if id.startswith("MiniGrid-") and id.endswith("-v0")]
  return [id.removeprefix("MiniGrid-").removesuffix("-v0") for id in ids]


@registry.family("minigrid/", "id", names)
def minigrid(id: str, *, pixels: bool = False, stepping: Stepping | None = None) -> Host:
  """MiniGrid: keys, doors and rooms seen from within; the goal pays, nothing else does.

  Args:
    id: MiniGrid's, without "MiniGrid-" and "-v0".
    pixels: observe pictures, uint8 [56, 56, 3], instead of symbols, int32 [7, 7, 3].
    stepping: see `Host`.

  Raises:
    ValueError: if minigrid is not installed.
  """
  extra("minigrid", "minigrid")
  view = Pixels if pixels else Symbols

  def make() -> Any:
    env = gymnasium.make(
      f"MiniGrid-{id}-v0", disable_env_checker=True, render_mode="rgb_array"
    ).unwrapped
    return view(env)

  def build(seed: int) -> dm_env.Environment:
    return from_gym(make(), seed)

  probe = make()
  return Host(
    build,
    stepping,
    max_episode_steps=probe.unwrapped.max_steps,
    success_return=ANY_REWARD,
    cell_pixels=TILE_PIXELS if pixels else 1,
    probe=from_gym(probe, 0),
  )
