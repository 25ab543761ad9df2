"""What `rarebird offline` can be told."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Literal

from agents.fresh import FreshConfig
from envs.goals.goal_environment import GoalEnvironment
from experiments.datasets.dataset import DESCRIPTION, EPISODE_SETTINGS, Dataset
from experiments.settings import flags, stored
from experiments.settings import train as configs
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig

RESUMABLE = ("config.out", "config.eval_episodes", "config.agent.buffer.updates")
"""What may differ when a run is resumed."""


@dataclasses.dataclass(frozen=True)
class OfflineConfig:
  """Learn to reach goals from a dataset; the same command again resumes it."""

  dataset: str
  """Folder of the dataset, as `rarebird collect` writes it."""
  env: str = ""
  """Environment to be judged in; by default the dataset's."""
  env_args: tuple[str, ...] = ()
  """Settings of the environment, as name=value; without --env those of the dataset, less how its
  episodes begin and end."""
  out: str = ""
  """Run folder; by default runs/ and a name made of dataset, algorithm and seed."""
  seed: int = 0
  """Of all that is drawn; the same seed on the same device gives the same bits."""
  eval_episodes: int = 500
  """Episodes of each split in the evaluation (GO-FRESH: 500)."""
  agent_name: Literal["fresh"] = flags.named("agent", "fresh")
  """Agent."""
  agent: FreshConfig = dataclasses.field(default_factory=FreshConfig)
  """The agent's settings."""

  @classmethod
  def of(cls, algorithm: Any) -> OfflineConfig:
    """The default run of an algorithm, without a dataset; an unknown one is a UserError."""
    try:
      return cls(flags.REQUIRED, agent=FreshConfig.of(algorithm))
    except ValueError as error:
      raise UserError(str(error)) from error

  def folder(self) -> Path:
    """The run folder, given or made of the names that tell runs apart."""
    parts = [Path(self.dataset).name, self.agent.algorithm, f"seed{self.seed}"]
    name = "-".join(re.sub(r"[^A-Za-z0-9.=]+", "_", part) for part in parts)
    return Path(self.out or f"runs/{name}")


def check(config: OfflineConfig) -> None:
  """Raises UserError for values no run can be made of."""
  if not 0 <= config.seed < 2**32:
    raise UserError(f"--seed is {config.seed}; give 0 or more, below 2**32.")
  if config.eval_episodes < 1:
    raise UserError(f"--eval-episodes is {config.eval_episodes}; give at least 1.")


def build_environment(config: OfflineConfig, dataset: Dataset) -> GoalEnvironment:
  """The environment to be judged in; what does not fit the dataset is a UserError."""
  own, name, pairs = dataset.description, config.env, config.env_args
  if not name:
    if own.env is None or pairs:
      raise UserError(f"{dataset.path}: which environment is it to be judged in? Give --env.")
    name = own.env
    kept = {k: v for k, v in own.settings.items() if k not in EPISODE_SETTINGS}
    pairs = tuple(f"{k}={v!r}" for k, v in kept.items())
  env = configs.build_environment(TrainConfig(env=name, env_args=pairs))
  if not isinstance(env, GoalEnvironment):
    raise UserError(f"environment {name!r} has no goals written in JAX; take one of goals/.")
  dataset.require_env(name, env, configs.environment_settings(pairs))
  return env


def to_json(config: OfflineConfig, dataset: Dataset) -> str:
  """The config and which dataset it is about, for config.json."""
  digest = hashlib.sha256((dataset.path / DESCRIPTION).read_bytes()).hexdigest()
  whole = {"config": stored.data(config), "dataset": digest}
  return json.dumps(whole, indent=2, default=str) + "\n"


def differences(whole: dict[str, Any], new: str, path: Path) -> list[str]:
  """What differs between the config.json of the folder `path` and `new`, and may not on resuming.

  Raises UserError for one of another version."""
  try:
    stored.check_format(whole["config"])
    old = stored.flatten(whole)
  except stored.OtherFormatError as error:
    raise UserError(f"{path} cannot be read: {error}.") from error
  except (TypeError, KeyError, AttributeError) as error:
    raise UserError(f"{path / 'config.json'} cannot be read: {error}.") from error
  now: dict[str, Any] = stored.flatten(json.loads(new))
  names = [name for name in old | now if name not in RESUMABLE and old.get(name) != now.get(name)]
  return [f"{name} was {old.get(name)!r}, now {now.get(name)!r}" for name in names]
