"""Atari games through ALE (Bellemare et al. 2013), as the exploration literature plays them.

Sticky actions with probability .25, frame skip 4, the last two frames of a skip maximised, 84x84
grey, four stacked, episodes of 108,000 frames, no end at the loss of a life (Machado et al. 2018,
arXiv 1709.06009; Burda et al. 2018, arXiv 1810.12894). Rewards are the game's own; an agent that
clips them does so itself. BYOL-Explore and NGU give every game all 18 actions; the six hard
exploration games have them anyway, so the game's own set is the default.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import dm_env
import numpy as np
from dm_env import specs

from envs.environment import registry
from envs.extras import extra
from envs.host.environment import (
  STEP_TIMEOUT,
  HostEnvironment,
  VectorEnvironment,
  environment_seeds,
)
from envs.host.host import check_limit
from envs.host.serial import check_actions, cores

SIDE, STACK, SKIP = 84, 4, 4


class Atari(HostEnvironment):
  """One Atari game. Observations uint8 [84, 84, 4], the newest frame last."""

  def __init__(
    self,
    game: str,
    sticky: float,
    noop_max: int,
    max_episode_steps: int,
    full_action_set: bool,
    clip_rewards: bool,
  ):
    self.max_episode_steps = max_episode_steps
    self._game = game
    self._settings: dict[str, Any] = dict(
      repeat_action_probability=sticky,
      noop_max=noop_max,
      max_num_frames_per_episode=max_episode_steps * SKIP,
      full_action_space=full_action_set,
      reward_clipping=clip_rewards,
      use_fire_reset=False,
      episodic_life=False,
      img_height=SIDE,
      img_width=SIDE,
      stack_num=STACK,
      frameskip=SKIP,
      grayscale=True,
      maxpool=True,
      autoreset_mode="NextStep",
    )
    one = AtariGame(game, 0, self._settings)
    self._actions = one.action_spec()

  def observation_spec(self) -> specs.Array:
    return specs.BoundedArray((SIDE, SIDE, STACK), np.uint8, 0, 255, "frames")

  def action_spec(self) -> specs.DiscreteArray:
    return self._actions

  def make(self, seed: int) -> dm_env.Environment:
    return AtariGame(self._game, seed, self._settings)

  def vector(self, num_envs: int, seed: int, timeout: float = STEP_TIMEOUT) -> VectorEnvironment:
    """ALE's own vector of games, stepped by its threads; the timeout does not apply."""
    return AtariVector(self._game, num_envs, seed, self._settings)


class AtariVector(VectorEnvironment):
  """B games in ALE's own vector environment, which steps them by threads in C++."""

  def __init__(self, game: str, num_envs: int, seed: int, settings: dict[str, Any]):
    from ale_py.vector_env import AtariVectorEnv

    self.num_envs = num_envs
    self._seeds = np.array(environment_seeds(seed, num_envs), np.int32)
    threads = min(num_envs, cores())
    self._env = AtariVectorEnv(game, num_envs, num_threads=threads, **settings)
    actions = len(self._env.ale.get_action_set())
    self._action_spec = specs.DiscreteArray(actions, np.int32, "action")
    self._ended = np.zeros(num_envs, bool)
    self._frames = np.empty((num_envs, SIDE, SIDE, STACK), np.uint8)

  def reset(self) -> dm_env.TimeStep:
    frames, _ = self._env.reset(seed=self._seeds)
    return dm_env.TimeStep(
      step_type=np.full(self.num_envs, dm_env.StepType.FIRST, np.int32),
      reward=np.zeros(self.num_envs, np.float32),
      discount=np.ones(self.num_envs, np.float32),
      observation=channels_last(frames, self._frames),
    )

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    action = check_actions(self._action_spec, action, self.num_envs)
    frames, reward, terminated, truncated, _ = self._env.step(action)
    last = terminated | truncated
    step_type = np.where(last, dm_env.StepType.LAST, dm_env.StepType.MID)
    step_type = np.where(self._ended, dm_env.StepType.FIRST, step_type).astype(np.int32)
    self._ended = last
    return dm_env.TimeStep(
      step_type=step_type,
      reward=reward.astype(np.float32),
      discount=1.0 - terminated.astype(np.float32),
      observation=channels_last(frames, self._frames),
    )

  def close(self) -> None:
    self._env.close()


def channels_last(frames: np.ndarray, out: np.ndarray) -> np.ndarray:
  """Moves stacked frames, uint8 [B, 4, H, W], to the last axis of `out`, [B, H, W, 4].

  One frame of the stack at a time, which takes a tenth of the time of a transposition: NumPy would
  make the axis of four its inner loop.
  """
  for i in range(STACK):
    out[..., i] = frames[:, i]
  return out


class AtariGame(dm_env.Environment):
  """One game with the preprocessing of ALE's vector environment, and a coloured `render`."""

  def __init__(self, game: str, seed: int, settings: dict[str, Any]):
    import ale_py

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    self._settings = settings
    self._rng = np.random.default_rng(seed)
    self._ale = ale_py.ALEInterface()
    self._ale.setInt("random_seed", seed)
    self._ale.setFloat("repeat_action_probability", settings["repeat_action_probability"])
    rom = ale_py.roms.get_rom_path(game)
    assert rom is not None, game  # the registry takes only names that have one
    self._ale.loadROM(rom)
    full = settings["full_action_space"]
    self._actions = self._ale.getLegalActionSet() if full else self._ale.getMinimalActionSet()
    height, width = self._ale.getScreenDims()
    self._rows, self._columns = area_matrix(height, SIDE), area_matrix(width, SIDE).T
    self._limit = settings["max_num_frames_per_episode"] // SKIP
    self._frames: deque[np.ndarray] = deque(maxlen=STACK)
    self._steps = 0
    self._ended = True

  def reset(self) -> dm_env.TimeStep:
    self._ended, self._steps = False, 0
    self._ale.reset_game()
    for _ in range(self._rng.integers(self._settings["noop_max"] + 1)):
      self._ale.act(0)
      if self._ale.game_over():
        self._ale.reset_game()
    self._frames.extend(np.zeros((SIDE, SIDE), np.uint8) for _ in range(STACK - 1))
    self._frames.append(self._shrink(self._ale.getScreenGrayscale()))
    return dm_env.restart(np.stack(self._frames, -1))

  def step(self, action: Any) -> dm_env.TimeStep:
    """Advances by four frames; the step after a LAST, or the very first, starts an episode."""
    if self._ended:
      return self.reset()
    chosen = self._actions[int(check_actions(self.action_spec(), np.atleast_1d(action), 1)[0])]
    reward, screens = 0.0, []
    for frame in range(SKIP):
      reward += self._ale.act(chosen)
      over = self._ale.game_over()
      if over or frame >= SKIP - 2:
        screens.append(self._ale.getScreenGrayscale())
      if over:
        break
    self._frames.append(self._shrink(np.max(screens, 0)))
    self._steps += 1
    if self._settings["reward_clipping"]:
      reward = float(np.sign(reward))
    observation = np.stack(self._frames, -1)
    self._ended = over or self._steps >= self._limit
    if over:
      return dm_env.termination(float(reward), observation)
    if self._ended:
      return dm_env.truncation(float(reward), observation)
    return dm_env.transition(float(reward), observation)

  def observation_spec(self) -> specs.Array:
    return specs.BoundedArray((SIDE, SIDE, STACK), np.uint8, 0, 255, "frames")

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(len(self._actions), np.int32, "action")

  def render(self) -> np.ndarray:
    """Returns the screen, uint8 [210, 160, 3] for most games."""
    return self._ale.getScreenRGB()

  def _shrink(self, screen: np.ndarray) -> np.ndarray:
    return np.rint(self._rows @ screen.astype(np.float32) @ self._columns).astype(np.uint8)


def area_matrix(size: int, smaller: int) -> np.ndarray:
  """The matrix [smaller, size] that averages a line of pixels over `smaller` equal areas.

  Applied to rows and columns it is OpenCV's INTER_AREA, which ALE's vector environment uses.
  """
  edges = np.linspace(0, size, smaller + 1)
  pixels = np.arange(size)
  left = np.maximum(edges[:-1, None], pixels)
  right = np.minimum(edges[1:, None], pixels + 1)
  return (np.maximum(right - left, 0) * smaller / size).astype(np.float32)


def games() -> list[str]:
  """The games whose ROM is installed with ale-py."""
  from ale_py import roms

  return list(roms.get_all_rom_ids())


@registry.family("atari/", "game", games)
def atari(
  game: str,
  *,
  sticky: float = 0.25,
  noop_max: int = 30,
  max_episode_steps: int = 27_000,
  full_action_set: bool = False,
  clip_rewards: bool = False,
) -> Atari:
  """Atari: sticky actions, 84x84 grey, four frames stacked; montezuma_revenge, pitfall, ...

  Args:
    game: in snake case.
    sticky: probability, at each frame, of repeating the action before.
    noop_max: an episode begins with 0 to this many frames without action.
    max_episode_steps: of four frames each.
    full_action_set: all 18 actions, instead of those that the game uses.
    clip_rewards: to -1, 0 and 1.

  Raises:
    ValueError: if ale-py is not installed, or for no steps.
  """
  extra("ale_py", "atari")
  check_limit(max_episode_steps)
  return Atari(game, sticky, noop_max, max_episode_steps, full_action_set, clip_rewards)
