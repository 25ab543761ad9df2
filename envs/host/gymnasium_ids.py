"""gymnasium's ids: which library registers them, and how we spell those that a family has."""

from __future__ import annotations

import difflib
import re

import gymnasium

from envs.environment import registry
from envs.extras import extra
from envs.host import atari
from envs.host.host import draw_without_screen

LIBRARIES = {
  r"ALE/": ("ale_py", "atari"),
  r"MiniGrid-|BabyAI-": ("minigrid", "minigrid"),
  r"Vizdoom": ("vizdoom.gymnasium_wrapper", "vizdoom"),
  r"(Point|Ant)Maze_|Fetch|Hand|Adroit|FrankaKitchen": (
    "gymnasium_robotics",
    "gymnasium_robotics",
  ),
}
"""Beginnings of ids: the module that registers them, and the optional extra that installs it."""

ATARI = (
  "84x84 grey, four frames stacked, frame skip 4, sticky actions with probability .25 and up to 30"
  " idle frames first: --env-args sticky=0 noop_max=0 without"
)
MINIGRID = (
  "symbols as categories, or --env-args pixels=True, and a mission that differs in words;"
  " mission=ignored trains without it"
)


def register(id: str) -> None:
  """Imports the library that registers an id, if it is one that we know.

  Raises:
    ValueError: if it is not installed.
  """
  for beginning, library in LIBRARIES.items():
    if re.match(beginning, id):
      draw_without_screen()
      extra(*library)


def ours(id: str) -> tuple[str, str] | None:
  """How we spell what a gymnasium id plays, and how that differs; None if no family has it."""
  if match := re.fullmatch(r"(ALE/)?(\w+?)(NoFrameskip|Deterministic)?-v[045]", id):
    game = _game(match[2])
    if game:
      return f"atari/{game}", f"{ATARI} (gym:ale_py:{id} is gymnasium's own)"
  if match := re.fullmatch(r"(MiniGrid-|(?=BabyAI-))(.+?)(-v0)?", id):
    return f"minigrid/{match[2]}", MINIGRID
  if id.startswith("VizdoomMyWayHome"):
    return "vizdoom/my_way_home_dense", "84x84 grey, four frames stacked, frame skip 4"
  if match := re.fullmatch(r"dm_control/(.+)-v\d+", id):
    return f"dm_control/{match[1].replace('-', '_')}", "its numbers as one vector"
  if re.match(r"(Point|Ant)Maze_", id) and "Dense" not in id:
    own = f"(gym:gymnasium_robotics:{id} is gymnasium's own)"
    return f"gymnasium_robotics/{id}", f"pairs of a view and a goal, for agents with goals {own}"
  return None


@registry.hint
def spelling(name: str) -> str | None:
  """How a gymnasium id that was given without `gym:` is to be written."""
  if known := ours(name):
    return known[0]
  ids = [id for id in gymnasium.registry if not id.startswith("rarebird/")]
  if name in ids or any(re.match(beginning, name) for beginning in LIBRARIES):
    return f"gym:{name}"
  near = difflib.get_close_matches(name, ids, n=1, cutoff=0.8) if re.search(r"-v\d+$", name) else []
  return f"gym:{near[0]}" if near else None


def _game(name: str) -> str | None:
  """The name of a game in ALE, "MontezumaRevenge" or "montezuma_revenge", in snake case."""
  try:
    games = {game.replace("_", ""): game for game in atari.games()}
  except ImportError:
    return None
  return games.get(name.replace("_", "").lower())
