"""Minari's datasets, to be converted into ours (Minari 0.5, https://minari.farama.org)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import jax
import numpy as np

from envs import nests
from envs.adapters.from_gymnasium import action_space_spec
from envs.adapters.spaces import ObservationReader
from envs.environment import Environment
from envs.goals.goal_environment import GoalEnvironment
from envs.host import canonical
from envs.host.environment import HostEnvironment
from envs.host.observations import Observed
from envs.observation import Tokens, leaves, one_line, same
from experiments.datasets.dataset import Episode, stored_spec
from experiments.datasets.description import Description
from experiments.settings.errors import UserError

SEEN = "observation"
GOALS = {SEEN, "achieved_goal", "desired_goal"}
"""The entries that environments with goals show. What is observed is stored; the goals are not,
since every view is one."""


def read(
  name: str,
  env_name: str | None,
  settings: Mapping[str, Any],
  env: Environment | HostEnvironment | None,
) -> tuple[Description, int, Iterator[tuple[Episode, np.ndarray]]]:
  """Opens a Minari dataset that is on this machine.

  Args:
    name: as Minari names it, or the folder it lies in; `minari:` may stand before it.
    env_name, settings, env: the environment that it is known to be of, if it is.

  Returns:
    Its description, the number of its episodes, and them one at a time with their lengths.

  Raises:
    UserError: one line, if Minari is not installed, there is no such dataset, or its spaces are
      of another kind than `from_gymnasium` takes, or others than those of `env`.
  """
  name = name.removeprefix("minari:")
  data = _open(name)
  spaces = data.observation_space
  has_goals = isinstance(spaces, gymnasium.spaces.Dict) and set(spaces.spaces) == GOALS
  if has_goals:
    spaces = spaces[SEEN]
  try:
    raw_action, acted_from = action_space_spec(data.action_space)
    action = canonical.action_spec(raw_action)
    views = Views(spaces, action)
    observation: Any = views.spec
  except ValueError as error:
    raise UserError(f"Minari dataset {name}: {error}") from error
  if action.dtype == np.int32:
    acted_from = acted_from + np.int64(raw_action.minimum)
  if env is not None:
    for what, theirs, ours in (
      ("observation", observation, stored_spec(env)),
      ("action", action, env.action_spec()),
    ):
      if not same(theirs, ours) or _words(theirs) != _words(ours):
        also = " of other words" if same(theirs, ours) else ""
        raise UserError(
          f"Minari dataset {name} has {what} {one_line(theirs)}, and {env_name} has"
          f" {one_line(ours)}{also}; give another --env, or none."
        )
    observation, action = stored_spec(env), env.action_spec()

  def episodes() -> Iterator[tuple[Episode, np.ndarray]]:
    for number, one in enumerate(data.iterate_episodes()):
      seen = one.observations[SEEN] if has_goals else one.observations
      discount = 1.0 - np.asarray(one.terminations, np.float32)
      lengths = np.array([len(one.rewards)])
      actions = np.asarray(one.actions) - acted_from
      try:
        observed = views(seen, len(one.rewards))
      except ValueError as error:
        raise UserError(f"Minari dataset {name}: episode {number}: {error}") from error
      yield Episode(observed, actions, one.rewards, discount), lengths

  description = Description(
    env=env_name,
    settings=dict(settings),
    view=isinstance(env, GoalEnvironment),
    observation=observation,
    action=action,
    policy=f"minari:{data.spec.dataset_id}",
    seed=None,
    creation={"minari": importlib.import_module("minari").__version__},
  )
  return description, data.total_episodes, episodes()


class Views:
  """Brings the observations of a space into the form in which an environment's would be seen.

  Attributes:
    spec: of that form, see `envs.host.observations`.
  """

  def __init__(self, space: gymnasium.Space, actions: Any):
    """`actions` is the canonical spec of the actions, which masks are of; raises ValueError."""
    self._space, self._reader = space, ObservationReader(space)
    raw = self._reader.spec
    self._observed = Observed(raw, actions)
    self.spec = self._observed.spec
    self._at_once = not nests.is_nest(raw) and raw.dtype.kind in "biuf"

  def __call__(self, seen: Any, steps: int) -> Any:
    """The observations of an episode of so many steps, an array or a nest of arrays [L + 1, ...].

    Raises:
      ValueError: one line, for what the space does not declare.
    """
    if self._at_once:
      return self._observed.convert(np.asarray(seen) - getattr(self._space, "start", 0))
    each = [
      self._observed(self._reader(_entry(self._space, seen, t)), t == steps, t)
      for t in range(steps + 1)
    ]
    return jax.tree.map(lambda *x: np.stack(x), *each)


def _entry(space: gymnasium.Space, seen: Any, t: int) -> Any:
  """Entry `t` of a nest of arrays as the space nests them; text as str."""
  if isinstance(space, gymnasium.spaces.Dict):
    return {key: _entry(part, seen[key], t) for key, part in space.spaces.items()}
  if isinstance(space, gymnasium.spaces.Tuple):
    return tuple(_entry(part, seen[i], t) for i, part in enumerate(space.spaces))
  one = seen[t]
  return one.decode() if isinstance(one, bytes) else one


def _words(spec: Any) -> list[tuple[str, ...]]:
  return [leaf.words for leaf in leaves(spec).values() if isinstance(leaf, Tokens)]


def _open(name: str) -> Any:
  try:
    minari = importlib.import_module("minari")
  except ImportError as error:
    raise UserError(
      f"Minari's datasets need what is not installed ({error}): pip install 'rarebird[minari]'"
    ) from error
  folder = Path(name).expanduser()
  try:
    if not folder.is_dir():
      return minari.load_dataset(name)
    inner = folder / "data"
    return minari.MinariDataset(inner if inner.is_dir() else folder)
  except FileNotFoundError as error:
    raise UserError(
      f"there is no Minari dataset {name} here; get it with: minari download {name}"
    ) from error
  except (ImportError, ValueError) as error:
    line = str(error).partition("\n")[0]
    raise UserError(f"Minari dataset {name} cannot be read: {line}") from error
