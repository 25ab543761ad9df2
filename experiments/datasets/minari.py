"""Minari's datasets, to be converted into ours (Minari 0.5, https://minari.farama.org)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from dm_env import specs

from envs import nests
from envs.adapters.from_gymnasium import action_space_spec
from envs.adapters.spaces import ObservationReader
from envs.environment import Environment
from envs.goals.goal_environment import GoalEnvironment
from envs.host import canonical
from envs.host.environment import HostEnvironment
from envs.host.observations import Observed
from experiments.datasets.dataset import Episode, stored_spec
from experiments.datasets.description import Description
from experiments.settings.errors import UserError

SEEN = "observation"
"""The entry that is stored of a dictionary, which environments with goals have; the goals are not,
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
      of another kind than `from_gymnasium` takes, or others than those of `env`, or texts.
  """
  name = name.removeprefix("minari:")
  data = _open(name)
  spaces = data.observation_space
  if isinstance(spaces, gymnasium.spaces.Dict):
    if SEEN not in spaces.spaces:
      raise UserError(f"Minari dataset {name}: its observations are a Dict without {SEEN!r}.")
    spaces = spaces[SEEN]
  try:
    raw_observation = ObservationReader(spaces).spec
    if nests.is_nest(raw_observation):
      raise ValueError(f"its observations are a {type(spaces).__name__}; expected one array.")
    if raw_observation.dtype.kind not in "biuf":
      raise ValueError("an observation is text; a dataset holds arrays of numbers.")
    observed_from = getattr(spaces, "start", 0)
    raw_action, acted_from = action_space_spec(data.action_space)
    observed = Observed(raw_observation)
    observation: Any = observed.spec
    action = canonical.action_spec(raw_action)
  except ValueError as error:
    raise UserError(f"Minari dataset {name}: {error}") from error
  if action.dtype == np.int32:
    acted_from = acted_from + np.int64(raw_action.minimum)
  if env is not None:
    if not isinstance(stored_spec(env), specs.Array):
      raise UserError(f"{env_name} shows several things; a dataset holds one array an observation.")
    for what, found, wanted in (
      ("observation", observation, stored_spec(env)),
      ("action", action, env.action_spec()),
    ):
      if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
        raise UserError(
          f"Minari dataset {name} has {what} {found.dtype.name} {found.shape}, and {env_name} has"
          f" {wanted.dtype.name} {wanted.shape}; give another --env, or none."
        )
    observation, action = stored_spec(env), env.action_spec()

  def episodes() -> Iterator[tuple[Episode, np.ndarray]]:
    for one in data.iterate_episodes():
      seen = one.observations[SEEN] if isinstance(one.observations, dict) else one.observations
      discount = 1.0 - np.asarray(one.terminations, np.float32)
      lengths = np.array([len(one.rewards)])
      actions = np.asarray(one.actions) - acted_from
      views = observed.convert(np.asarray(seen) - observed_from)
      yield Episode(views, actions, one.rewards, discount), lengths

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
