"""MiniGrid's gridworlds (Chevalier-Boisvert et al. 2023, arXiv 2306.13831)."""

from __future__ import annotations

from typing import Any, Literal

import dm_env
import gymnasium
import numpy as np

from envs.adapters.text import only_text
from envs.environment import registry
from envs.extras import extra
from envs.host.environment import Stepping
from envs.host.host import EPISODE_LIMIT, Host, from_gym

ANY_REWARD = 1e-6
"""A return above this is a success: the goal pays 1 - 0.9 steps / limit, and nothing else does."""
CATEGORIES = 11
"""Numbers of MiniGrid's objects, 0 to 10; colours (0 to 5) and door states (0 to 2) are fewer."""
TILE_PIXELS = 8


class View(gymnasium.ObservationWrapper):
  """What the agent sees, with its mission beside or alone.

  As categories, int32 [7, 7, 3] of object, colour and state, or as a picture, uint8 [56, 56, 3].
  """

  def __init__(self, env: Any, pixels: bool, with_mission: bool):
    super().__init__(env)
    self._pixels, self._with_mission = pixels, with_mission
    space = env.observation_space
    height, width, numbers = space["image"].shape
    image: gymnasium.Space[Any] = gymnasium.spaces.Box(
      0, CATEGORIES - 1, (height, width, numbers), np.int32
    )
    if pixels:
      shape = (height * TILE_PIXELS, width * TILE_PIXELS, 3)
      image = gymnasium.spaces.Box(0, 255, shape, np.uint8)
    self.observation_space = image
    if with_mission:
      self.observation_space = gymnasium.spaces.Dict({"image": image, "mission": space["mission"]})

  def observation(self, observation: dict[str, Any]) -> Any:
    image = observation["image"]
    if self._pixels:
      grid: Any = self.unwrapped
      image = grid.get_frame(tile_size=TILE_PIXELS, agent_pov=True)
    return {"image": image, "mission": observation["mission"]} if self._with_mission else image


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
  text_words: int | None = None,
  text_length: int | None = None,
) -> Host:
  """MiniGrid and BabyAI: keys, doors and rooms seen from within; only the goal pays.

  Where its mission differs from episode to episode an observation is {image, mission}.

  Args:
    id: MiniGrid's, without "MiniGrid-" and "-v0": DoorKey-5x5, BabyAI-GoToRedBall.
    pixels: observe pictures, uint8 [56, 56, 3], instead of symbols, int32 [7, 7, 3].
    mission: "ignored" leaves out a mission that differs from episode to episode; one that is
      always the same is left out anyway.
    stepping, text_words, text_length: see `Host`.

  Raises:
    ValueError: if minigrid is not installed.
  """
  extra("minigrid", "minigrid")
  if mission not in (None, "ignored"):
    raise ValueError(f"mission is {mission!r}; expected 'ignored', or nothing.")

  def make() -> Any:
    return gymnasium.make(_ids()[id], disable_env_checker=True, render_mode="rgb_array").unwrapped

  level = make()
  always = only_text(level.observation_space["mission"])
  with_mission = always is None and mission is None

  def build(seed: int) -> dm_env.Environment:
    return from_gym(View(make(), pixels, with_mission), seed)

  told = "which differs from episode to episode" if always is None else f"always {always!r}"
  unseen = "not" if with_mission else f"neither the mission, {told}, nor"
  return Host(
    build,
    stepping,
    # BabyAI's levels each set a limit of their own when they begin.
    max_episode_steps=level.max_steps or EPISODE_LIMIT,
    success_return=ANY_REWARD,
    cells=TILE_PIXELS if pixels else 1,
    probe=from_gym(View(level, pixels, with_mission), 0),
    notes=(f"the agent sees {unseen} the direction it faces",),
    text_words=text_words,
    text_length=text_length,
  )
