"""ViZDoom's My Way Home (Kempka et al. 2016): find the vest in a maze, seen from within.

Spawning as in Pathak et al. 2017 (arXiv 1705.05363): `dense` at one of 17 places of the maze, at
any heading; `sparse` and `very_sparse` always in one far room, some 270 and 350 steps of optimal
play away. Frame skip 4, four frames stacked, 525 steps, reward 1 at the vest and nothing else.

The scenario's map draws place and heading in its ENTER script, so a sparse variant is the packaged
map with that script's constants changed, in a folder of the engine's own.
https://zdoom.org/wiki/PCD has the codes.
"""

from __future__ import annotations

import struct
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

import dm_env
import numpy as np
from dm_env import specs
from PIL import Image

from envs.action_specs import ActionReader
from envs.environment import registry
from envs.extras import extra
from envs.host.environment import Stepping
from envs.host.host import Host

STACK, SKIP = 4, 4
TICS = 2100
"""Length of an episode, in 35ths of a second."""
SUCCESS = 0.5

SPAWNS: dict[str, tuple[int, float, float] | None] = {
  "my_way_home_dense": None,
  "my_way_home_sparse": (10, 0.0, 0.01),
  "my_way_home_very_sparse": (15, 0.49, 0.51),
}
"""The number of the map's spot, and the range of the heading in turns; None leaves the script."""

ENGINE = """#!/bin/sh
cd "{folder}" || exit
setpriv --pdeathsig KILL true 2>/dev/null && exec setpriv --pdeathsig KILL "{program}" "$@"
exec "{program}" "$@"
"""
"""Starts the engine in a folder of its own, and where setpriv is at hand has it die with us."""

RANDOM_SPOT = bytes.fromhex("1d021d021d030ea7010f391900")
"""spot = random(first, first + spots - 1)."""
RANDOM_HEADING = bytes.fromhex("b00000030000010039f024")
"""SetActorAngle(0, random(0.0, 1.0))."""


class MyWayHome(dm_env.Environment):
  """One engine. Observations uint8 [side, side, 4], the newest frame last."""

  def __init__(self, variant: str, seed: int, side: int):
    import vizdoom

    self._side = side
    self._screen: Any = None
    self._frames: deque[np.ndarray] = deque(maxlen=STACK)
    self._ended = True
    self._read_action = ActionReader(self.action_spec())
    game = self._game = vizdoom.DoomGame()
    scenario = Path(vizdoom.scenarios_path) / "my_way_home.wad"
    game.set_window_visible(False)
    game.set_screen_format(vizdoom.ScreenFormat.GRAY8)
    game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
    game.set_render_hud(False)
    buttons = [vizdoom.Button.MOVE_FORWARD, vizdoom.Button.TURN_RIGHT, vizdoom.Button.TURN_LEFT]
    game.set_available_buttons(buttons)
    game.set_available_game_variables(
      [vizdoom.GameVariable.POSITION_X, vizdoom.GameVariable.POSITION_Y]
    )
    game.set_doom_skill(5)
    game.set_episode_start_time(10)  # tics, after which the weapon is out of sight
    game.set_episode_timeout(TICS)
    game.set_living_reward(0.0)
    game.set_mode(vizdoom.Mode.PLAYER)
    game.set_seed(seed)
    self._folder = tempfile.TemporaryDirectory()
    path = Path(self._folder.name) / "my_way_home.wad"
    path.write_bytes(respawn(scenario.read_bytes(), SPAWNS[variant]))
    game.set_doom_scenario_path(str(path))
    game.set_doom_config_path(str(path.with_name("vizdoom.ini")))
    # The engine leaves a folder where it starts, and engines that start at once trip over it.
    engine = path.with_name("engine")
    program = Path(vizdoom.__file__).with_name("vizdoom")
    engine.write_text(ENGINE.format(folder=path.parent, program=program), "utf-8")
    engine.chmod(0o700)
    game.set_vizdoom_path(str(engine))
    game.init()

  def reset(self) -> dm_env.TimeStep:
    self._ended = False
    self._game.new_episode()
    self._frames.extend(np.zeros((self._side, self._side), np.uint8) for _ in range(STACK))
    return dm_env.restart(self._observe())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Advances by four tics; the step after a LAST, or the very first, starts an episode."""
    if self._ended:
      return self.reset()
    chosen = int(self._read_action(action))
    reward = self._game.make_action([float(chosen == button) for button in (1, 2, 3)], SKIP)
    self._ended = self._game.is_episode_finished()
    observation = self._observe()
    if not self._ended:
      return dm_env.transition(reward, observation)
    if reward > 0:
      return dm_env.termination(reward, observation)
    return dm_env.truncation(reward, observation)

  def observation_spec(self) -> specs.Array:
    return specs.BoundedArray((self._side, self._side, STACK), np.uint8, 0, 255, "frames")

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(4, np.int32, "action")

  def render(self) -> np.ndarray:
    """Returns what the agent sees, grey, uint8 [120, 160, 3]."""
    return np.repeat(self._screen[..., None], 3, -1)

  def position(self) -> np.ndarray:
    """Where the agent is in the map, float64 [2]."""
    state = self._game.get_state()
    return np.asarray(state.game_variables)

  def close(self) -> None:
    self._game.close()
    self._folder.cleanup()

  def _observe(self) -> np.ndarray:
    state = self._game.get_state()
    if state is not None:  # none at the end: the engine shows no screen of it
      self._screen = state.screen_buffer
    picture = Image.fromarray(self._screen).resize((self._side,) * 2, Image.Resampling.BOX)
    self._frames.append(np.asarray(picture))
    return np.stack(self._frames, -1)


def respawn(wad: bytes, spawn: tuple[int, float, float] | None) -> bytes:
  """Returns the scenario with one spot and a range of headings in place of any.

  The new code is as long as the old, no-operations (0) filling up, so that no address changes.

  Raises:
    ValueError: if the scenario is not the one that this was written for.
  """
  if spawn is None:
    return wad
  spot, low, high = spawn
  start = wad.find(RANDOM_SPOT)
  end = wad.find(RANDOM_HEADING, start)
  if start < 0 or end < 0:
    raise ValueError("vizdoom's my_way_home.wad has changed; its spawn script was not found.")
  between = wad[start + len(RANDOM_SPOT) : end]
  heading = struct.pack("<BiBi", 3, int(low * 2**16), 3, int(high * 2**16))
  code = bytes([0xA7, spot, 0x19, 0]) + between + b"\xa7\0" + heading + b"\x39\xf0\x24"
  length = end + len(RANDOM_HEADING) - start
  return wad[:start] + code.ljust(length, b"\0") + wad[start + length :]


@registry.family("vizdoom/", "map", lambda: SPAWNS)
def vizdoom(map: str, *, side: int = 84, stepping: Stepping = "processes") -> Host:
  """ViZDoom's My Way Home: my_way_home_dense, my_way_home_sparse, my_way_home_very_sparse.

  Args:
    map: and how the player is spawned.
    side: of the grey picture in pixels; 42 in the paper.
    stepping: see `Host`.

  Raises:
    ValueError: if vizdoom is not installed.
  """
  extra("vizdoom", "vizdoom")
  return Host(
    lambda seed: MyWayHome(map, seed, side),
    stepping,
    max_episode_steps=TICS // SKIP,
    success_return=SUCCESS,
  )
