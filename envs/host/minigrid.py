"""MiniGrid's gridworlds (Chevalier-Boisvert et al. 2023, arXiv 2306.13831)."""

from __future__ import annotations

from typing import Any, Literal

import dm_env
import gymnasium
import numpy as np

from envs.adapters.spaces import only_text
from envs.environment import registry
from envs.extras import extra
from envs.host.environment import Stepping
from envs.host.host import EPISODE_LIMIT, Host, from_gym

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
  """MiniGrid's ids without "MiniGrid-" and "-v0": DoorKey-5x5, BabyAI-GoToRedBall, ..."""
  return list(_ids())


def _ids() -> dict[str, str]:
  import minigrid  # noqa: F401  registers them

  ids = [id for id in gymnasium.registry if id.startswith(("MiniGrid-", "BabyAI-"))]
  return {id.removeprefix("MiniGrid-").removesuffix("-v0"): id for id in ids}


@registry.family("minigrid/", "id", names)
def minigrid(
  id: str,
  *,
  pixels: bool = False,
  mission: Literal["ignored"] | None = None,
  stepping: Stepping | None = None,
) -> Host:
  """MiniGrid and BabyAI: keys, doors and rooms seen from within; only the goal pays.

  Args:
    id: MiniGrid's, without "MiniGrid-" and "-v0": DoorKey-5x5, BabyAI-GoToRedBall.
    pixels: observe pictures, uint8 [56, 56, 3], instead of symbols, int32 [7, 7, 3].
    mission: "ignored" leaves out a mission that differs from episode to episode; one that is
      always the same is left out anyway.
    stepping: see `Host`.

  Raises:
    ValueError: if minigrid is not installed, or for a mission that differs and is not ignored.
  """
  extra("minigrid", "minigrid")
  if mission not in (None, "ignored"):
    raise ValueError(f"mission is {mission!r}; expected 'ignored', or nothing.")
  view = Pixels if pixels else Symbols

  def make() -> Any:
    env = gymnasium.make(_ids()[id], disable_env_checker=True, render_mode="rgb_array").unwrapped
    return view(env)

  def build(seed: int) -> dm_env.Environment:
    return from_gym(make(), seed)

  probe = make()
  always = only_text(probe.unwrapped.observation_space["mission"])
  if always is None and mission is None:
    raise ValueError(
      f"minigrid/{id}: its mission differs from episode to episode, and is text, which no agent"
      " here can read yet. Train without it by --env-args mission=ignored, or take a level whose"
      " mission is always the same: Empty-8x8, DoorKey-8x8, MultiRoom-N6, ..."
    )
  told = "which differs from episode to episode" if always is None else f"always {always!r}"
  return Host(
    build,
    stepping,
    # BabyAI's levels each set a limit of their own when they begin.
    max_episode_steps=probe.unwrapped.max_steps or EPISODE_LIMIT,
    success_return=ANY_REWARD,
    cell_pixels=TILE_PIXELS if pixels else 1,
    probe=from_gym(probe, 0),
    notes=(f"the agent sees neither the mission, {told}, nor the direction it faces",),
  )
