"""What there is to run: cells, each a variant in an environment, and the weights tried for them."""

from __future__ import annotations

import dataclasses
import re
from typing import NamedTuple

from envs import capabilities
from envs.environment import Environment
from envs.host.environment import HostEnvironment
from experiments.compare import scores
from experiments.settings import choices, varying
from experiments.settings import train as configs
from experiments.settings.compare import EVERY, CompareConfig
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig

PLAIN = "none"
"""The bonus that has no weight to tune."""
NEEDS_PLACES = "oracle_counts"
TUNING_SEEDS = 1000
"""What is added to the seeds compared to have those that weights are tried on."""


@dataclasses.dataclass(frozen=True)
class Cell:
  """A variant in an environment, as the command line names them."""

  variant: str
  env: str

  @property
  def folder(self) -> str:
    """Its folder within runs/."""
    return re.sub(r"[^A-Za-z0-9.=]+", "_", self.env) + "-" + re.sub(r"\W+", "_", self.variant)


class Trial(NamedTuple):
  """A weight, and the seed that it is tried on."""

  weight: float
  seed: int


def environments(config: CompareConfig) -> dict[str, Environment]:
  """The environments by their names in the comparison; a wrong one is a UserError."""
  found: dict[str, Environment] = {}
  for name in config.envs:
    base, env_args = choices.split(name, "--envs")
    env = configs.build_environment(TrainConfig(env=base, env_args=env_args))
    if isinstance(env, HostEnvironment):
      raise UserError(
        f"environment {name!r} runs on the host, and compare trains in JAX environments alone;"
        " train there: rarebird train."
      )
    scores.metric(env)  # raises where nothing tells how well a variant does
    found[name] = env
  return found


def cells(config: CompareConfig, envs: dict[str, Environment]) -> list[Cell]:
  """All cells, environment by environment."""
  if EVERY not in config.names:
    return [Cell(variant, env) for env in envs for variant in config.names]
  if len(config.names) > 1:
    short = "--auxiliaries" if config.auxiliaries else "--bonuses"
    flag = f"--vary {config.varies}" if config.vary else short
    raise UserError(f"{flag} {EVERY} takes every {config.varies}; name no other.")
  listed = varying.every(config.varies, config.agent)
  return [
    Cell(variant, name)
    for name, env in envs.items()
    for variant in sorted(listed, key=lambda variant: (variant != PLAIN, variant))
    if (config.varies, variant) != ("bonus", NEEDS_PLACES) or capabilities.places(env) is not None
  ]


def tuned(config: CompareConfig, envs: dict[str, Environment], cells: list[Cell]) -> list[Cell]:
  """The cells in which weights are tried: those where a bonus stands beside a reward.

  Where it is all that there is, its weight has no meaning: the objectives divide by the scale. A
  recipe has the weight of its own bonus, which was chosen as the recipe says.
  """
  if not config.tune or config.varies != "bonus":
    return []
  rewarded = {name for name, env in envs.items() if scores.metric(env) != "coverage"}
  own = {Cell(run.agent.bonus.name, env) for env, run in config.worlds.items()}
  return [c for c in cells if c.variant != PLAIN and c.env in rewarded and c not in own]


def trials(config: CompareConfig) -> list[list[Trial]]:
  """The weights to try, each on the same seeds, in batches for the program of the comparison.

  A batch has as many trials as there are seeds compared, so that one compiled program serves both;
  one that is not full tries its last again. Every weight gets as many seeds as fit in one batch, at
  least one.
  """
  slots = config.seeds
  seeds = max(slots // len(config.weights), 1)
  first = config.seed + TUNING_SEEDS
  every = [Trial(w, first + i) for i in range(seeds) for w in config.weights]
  batches = [every[i : i + slots] for i in range(0, len(every), slots)]
  return [batch + batch[-1:] * (slots - len(batch)) for batch in batches]
