"""`rarebird launch`: `rarebird train` on many processes or machines."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

from experiments.commands import terminal
from experiments.commands import train as train_command
from experiments.settings import flags, reader, recipes
from experiments.settings.cluster import ClusterConfig
from experiments.settings.errors import UserError
from experiments.settings.train import DEFAULT_AGENT, TrainConfig


@dataclasses.dataclass(frozen=True)
class LaunchConfig:
  """A training, and where its nodes go."""

  train: TrainConfig
  cluster: ClusterConfig


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  arguments = recipes.expanded(arguments, DEFAULT_AGENT)
  agent = flags.value_of(arguments, "agent", DEFAULT_AGENT)
  default = LaunchConfig(TrainConfig.of(agent), ClusterConfig())
  config = reader.read("launch", arguments, default, about)
  train = config.train
  if train.runtime not in ("auto", "cluster"):
    raise UserError(f"launch runs a cluster; --runtime {train.runtime} belongs to train.")
  train = dataclasses.replace(train, runtime="cluster")
  return functools.partial(train_command.run, train, terminal.console(), config.cluster)
