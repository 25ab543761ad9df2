"""Datasets of episodes: a folder of plain arrays, memory-mapped.

    dataset.json      what it is; see `experiments.datasets.description`
    observation.npy   [N + E, *O]  an episode of L steps has L + 1 observations; each leaf of a dict
                      has a file, observation.0.image.npy, observation.1.legal.npy, by its name
    action.npy        [N, *A]      what was done at each step
    reward.npy        float32 [N]  what was paid for it
    discount.npy      float32 [N]  on arriving: 0 at a termination, else 1, also where time ended it
    episodes.npy      int64 [E + 1]  the step at which each episode begins, and N

N steps of E episodes lie one after another. Step t of all, in episode e, leads from row t + e of
the observations to row t + e + 1. Every file is read by `numpy.load(path, mmap_mode="r")`. Of an
environment with goals an observation is the view alone, without the goal (`view` in dataset.json).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from dm_env import specs

from envs.by_name import builder
from envs.environment import Environment
from envs.goals.goal_environment import GoalEnvironment
from envs.host.environment import HostEnvironment
from envs.observation import Spec, leaves, one_line
from experiments.datasets import validate
from experiments.datasets.description import Description, encode, fits
from experiments.settings.errors import UserError

DESCRIPTION, STARTS = "dataset.json", "episodes.npy"
EPISODE_SETTINGS = ("free", "goals", "random_start", "max_episode_steps")
"""Settings that say how episodes begin, end and are rewarded, not how the world moves: these may
differ between the dataset and what is trained."""


class Episode(NamedTuple):
  """One episode of L steps, or several, one after another.

  Attributes:
    observation: [L + 1, *O], or [L + E, *O] of E episodes; an array, or a dict of leaves.
    action: [L, *A].
    reward: float32 [L].
    discount: float32 [L], of the step arrived at; 0 at a termination.
  """

  observation: Any
  action: Any
  reward: Any
  discount: Any


class Dataset:
  """A dataset opened for reading; nothing of it is loaded before it is asked for.

  Attributes:
    path: its folder.
    description: its dataset.json.
    observation, action, reward, discount: memory maps, as the format says; of a dict of leaves a
      dict of them.
    starts: int64 [E + 1], where episodes begin.
  """

  def __init__(self, path: Path | str):
    """Opens a dataset and reads all of it once, block by block, to see that it is sound.

    Raises:
      UserError: one line, with the episode, if it is not: a file missing or cut short, another
        version, shapes or dtypes that disagree, NaN or infinite values, actions out of their
        bounds, episodes without steps or that overlap.
    """
    self.path = Path(path)
    self.description = _read_description(self.path)
    self.starts = self._read_starts()
    firsts, files = self.starts + np.arange(len(self.starts)), self.description.files
    for file, quantity in files.items():
      rows = firsts if quantity.observed else self.starts
      validate.check_file(self.path / f"{file}.npy", quantity.spec, rows)
    maps = [np.load(self.path / f"{file}.npy", "r", allow_pickle=False) for file in files]
    *seen, self.action, self.reward, self.discount = maps
    spec = self.description.observation
    self.observation: Any = seen[0]
    if isinstance(spec, Mapping):
      self.observation = dict(zip(leaves(spec), seen, strict=True))
    for quantity, array in zip(files.values(), maps, strict=True):
      rows = firsts if quantity.observed else self.starts
      validate.check_values(str(self.path), quantity, array, rows)
    validate.check_ends(str(self.path), self.discount, self.starts)

  def __len__(self) -> int:
    """Episodes, E."""
    return len(self.starts) - 1

  @property
  def steps(self) -> int:
    """Steps of all episodes, N."""
    return int(self.starts[-1])

  @property
  def observations(self) -> int:
    """Observations of all episodes, N + E."""
    return self.steps + len(self)

  def observed(self, rows: Any) -> Any:
    """The observations at `rows`, a slice or integers [...]: [..., *O] each leaf."""
    return jax.tree.map(lambda x: x[rows], self.observation)

  @property
  def lengths(self) -> np.ndarray:
    """int64 [E], the steps of each episode."""
    return np.diff(self.starts)

  @property
  def before(self) -> np.ndarray:
    """int64 [N], the row of `observation` from which each step leads; to the row after it."""
    return np.arange(self.steps) + np.repeat(np.arange(len(self)), self.lengths)

  @property
  def returns(self) -> np.ndarray:
    """float64 [E], the sum of each episode's rewards."""
    return np.add.reduceat(self.reward, self.starts[:-1], dtype=np.float64)

  def episode(self, index: int) -> Episode:
    """Episode `index` as views of the memory maps; negative counts from the end.

    Raises:
      IndexError: if there is no such episode.
    """
    place = range(len(self))[index]
    begin, end = self.starts[place], self.starts[place + 1]
    steps = slice(begin, end)
    seen = self.observed(slice(begin + place, end + place + 1))
    return Episode(seen, self.action[steps], self.reward[steps], self.discount[steps])

  def observation_spec(self) -> Spec:
    """Of one observation."""
    return self.description.observation

  def action_spec(self) -> specs.Array:
    """Of one action."""
    return self.description.action

  def require_env(
    self,
    name: str,
    env: Environment | HostEnvironment,
    settings: Mapping[str, Any] | None = None,
  ) -> None:
    """Refuses to be learned from for another environment.

    Args:
      name, env: what is to be trained in.
      settings: those that made `env`, to be compared as well, less `EPISODE_SETTINGS`.

    Raises:
      UserError: one line that names both environments and what differs.
    """
    own = self.description
    theirs = f"{self.path} is of environment {own.env or own.policy}"
    if own.env not in (name, None):
      raise UserError(f"{theirs}, not of {name}; give --env {own.env}, or another dataset.")
    has_goals = isinstance(env, GoalEnvironment)
    if own.view != has_goals and own.env is not None:
      raise UserError(
        f"{theirs} with view {own.view}, and {name} has {has_goals}; give another dataset."
      )
    for what, stored, spec in (
      ("observation", own.observation, stored_spec(env)),
      ("action", own.action, env.action_spec()),
    ):
      if not fits(encode(stored), encode(spec)):
        dicts = isinstance(stored, Mapping) or isinstance(spec, Mapping)
        kept, shown = (one_line(x) if dicts else str(encode(x)) for x in (stored, spec))
        kept += ", of other bounds or words" if kept == shown else ""
        raise UserError(
          f"{theirs} with {what} {kept}, and {name} has {shown}; give another dataset."
        )
    if own.env is None or settings is None:
      return
    here, there = (_settings(name, given) for given in (own.settings, settings))
    for setting in sorted((here.keys() | there.keys()) - set(EPISODE_SETTINGS)):
      if here.get(setting) != there.get(setting):
        raise UserError(
          f"{theirs} with {setting}={here.get(setting)}, and {name} is to have"
          f" {there.get(setting)}; give the same --env-args, or another dataset."
        )

  def _read_starts(self) -> np.ndarray:
    path, own = self.path / STARTS, self.description
    header, episodes = validate.read_header(path), own.episodes
    if header.shape != (episodes + 1,) or header.dtype != np.int64:
      raise UserError(
        f"{path} has {header.dtype.name} of shape {header.shape}, and {episodes} episodes need"
        f" int64 of shape {(episodes + 1,)}; {validate.AGAIN}."
      )
    if header.size != header.offset + header.dtype.itemsize * (episodes + 1):
      there = (header.size - header.offset) // header.dtype.itemsize
      raise UserError(
        f"{path} is cut short: it ends at episode {there} of {episodes}; {validate.AGAIN}."
      )
    starts = np.load(path, allow_pickle=False)
    validate.check_starts(str(self.path), starts, episodes, own.steps)
    return starts


def stored_spec(env: Environment | HostEnvironment) -> Spec:
  """Of what is stored as an observation: of an environment with goals, its view alone."""
  return env.view_spec() if isinstance(env, GoalEnvironment) else env.observation_spec()


def _read_description(path: Path) -> Description:
  try:
    return Description.from_json((path / DESCRIPTION).read_text("utf-8"))
  except (FileNotFoundError, NotADirectoryError):
    raise UserError(f"{path} holds no dataset (no {DESCRIPTION}).") from None
  except (OSError, ValueError) as error:
    raise UserError(f"{path / DESCRIPTION} cannot be read: {error}; {validate.AGAIN}.") from error


def _settings(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
  """All settings of an environment, those not given by their defaults, as JSON has them."""
  parameters = inspect.signature(builder(name)).parameters.values()
  known = {p.name: p.default for p in parameters if p.default is not p.empty}
  return json.loads(json.dumps(known | dict(given), default=str))
