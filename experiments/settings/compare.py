"""What `rarebird compare` can be told."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from agents import auxiliaries
from agents.latent.config import AgentConfig
from agents.trajectory import DataSpec
from experiments.settings import choices, flags, stored, varying
from experiments.settings import train as configs
from experiments.settings.errors import UserError
from experiments.settings.train import DEFAULT_AGENT, TrainConfig, agent_config

EVERY = "all"
NONE = "none"
"""The variant without a bonus, or without an auxiliary loss."""


@dataclasses.dataclass(frozen=True)
class CompareConfig:
  """Train every variant in every environment, and make a page of the results."""

  vary: tuple[str, ...] = ()
  """What differs: bonus, objective, core, torso, optimiser, agent, auxiliary or planner, and after
  it the names to compare (--vary objective vmpo ppo), each as the flag takes it, with settings or
  without: name?setting=value&setting=value. `all` takes all that are listed."""
  bonuses: tuple[str, ...] = ("none", "byol_explore", "rnd", "icm", "ngu", "e3b")
  """Short for --vary bonus, names of `rarebird list bonuses` or module:Name for your own; `all`
  takes all that are listed (oracle_counts where the environment tells its places)."""
  envs: tuple[str, ...] = ("deep_sea?size=10", "maze/nine_rooms", "maze/nine_rooms?noise=on_demand")
  """Environments, JAX ones, each with its settings: name?setting=value&setting=value."""
  steps: int = 200_000
  """Environment steps of one seed, counting the resets; rounded up to whole points of the curve."""
  seed: int = 0
  """First seed."""
  seeds: int = 3
  """Seeds of every variant in every environment, side by side in one program."""
  out: str = "compare/bonuses"
  """Folder of the comparison."""
  tune: bool = True
  """Choose each bonus's weight on other seeds first, where bonuses are varied; else all take
  --bonus-weight."""
  weights: tuple[float, ...] = (0.001, 0.01, 0.1)
  """Weights that are tried."""
  tuning_share: float = 1 / 3
  """Share of the steps that a weight is tried for."""
  curve_points: int = 50
  """Points of a learning curve, at least."""
  checkpoint_rows: int = 10
  """Points of the curve between two checkpoints."""
  eval_episodes: int = 256
  """Episodes of the final evaluation on each split, for each seed."""
  agent_name: str = flags.named("agent", DEFAULT_AGENT)
  """Agent, as in `rarebird train`."""
  agent: AgentConfig = dataclasses.field(
    default_factory=lambda: dataclasses.replace(
      agent_config(DEFAULT_AGENT), auxiliary=(auxiliaries.registry.choice("byol"),)
    )
  )
  """The agent, the same for all but for what is varied. All train with the BYOL loss, which some
  bonuses need, so that what differs is the bonus."""

  @classmethod
  def of(cls, agent_name: str) -> CompareConfig:
    """The default comparison of another agent."""
    agent = dataclasses.replace(
      agent_config(agent_name), auxiliary=(auxiliaries.registry.choice("byol"),)
    )
    return cls(agent_name=agent_name, agent=agent)

  @property
  def varies(self) -> str:
    """What differs."""
    return self.vary[0] if self.vary else "bonus"

  @property
  def names(self) -> tuple[str, ...]:
    """The variants, as they were named."""
    return self.vary[1:] if self.vary else self.bonuses

  def baseline(self, names: list[str]) -> str | None:
    """The variant that the others are compared with: none, or else what the agent has by itself,
    or else, where that is not a bonus, the first."""
    if self.varies in ("bonus", "auxiliary"):
      return NONE if NONE in names else None
    own = varying.own(self.varies, self.agent_name, self.agent)
    return own if own in names else names[0]

  def updates_per_row(self, agent: AgentConfig) -> int:
    """Updates of an agent between two points of the curve, which are one call of the program."""
    return max(int(self.steps / (self.curve_points * _steps_per_update(agent))), 1)

  def rows(self, run: TrainConfig) -> int:
    """Points of the curve of a whole run."""
    return math.ceil(self.steps / self.steps_per_row(run))

  def tuning_rows(self, run: TrainConfig) -> int:
    """Points of the curve of a run that tries a weight."""
    return max(round(self.tuning_share * self.rows(run)), 1)

  def steps_per_row(self, run: TrainConfig) -> int:
    """Environment steps of one seed between two points of the curve."""
    return round(run.log_updates * _steps_per_update(run.agent))

  def train_config(
    self, variant: str, env: str, weight: float | None = None, out: str = ""
  ) -> TrainConfig:
    """The run of a variant in an environment; the bonus's weight is its agent's unless given."""
    name, env_args = choices.split(env, "--envs")
    agent_name, agent = varying.varied(self.varies, variant, self.agent_name, self.agent)
    if weight is not None:
      payment = dataclasses.replace(agent.payment, bonus_weight=weight)
      agent = dataclasses.replace(agent, payment=payment)
    run = TrainConfig(
      env=name,
      env_args=env_args,
      steps=self.steps,
      seed=self.seed,
      seeds=self.seeds,
      out=out,
      log_updates=self.updates_per_row(agent),
      eval_episodes=self.eval_episodes,
      checkpoint_rows=self.checkpoint_rows,
      agent_name=agent_name,
      agent=agent,
    )
    return dataclasses.replace(run, eval_rows=self.rows(run))

  def to_json(self) -> str:
    """The config as JSON text, for config.json."""
    return stored.text(self)

  def flat_agent(self) -> dict[str, Any]:
    """The agent's settings by their flags' names, less those that are compared."""
    path = varying.path(self.varies, self.agent)
    if not path:
      return {}
    fields = stored.flatten(dataclasses.asdict(self.agent))
    head, weight = ".".join(path), "payment.bonus_weight" if self.varies == "bonus" else ""
    return {
      name: x
      for name, x in fields.items()
      if name not in (head, weight) and not name.startswith(f"{head}.")
    }


def _steps_per_update(agent: AgentConfig) -> float:
  return configs.steps_per_update(
    DataSpec(agent.unroll_length, agent.batch_size, agent.replay.spec())
  )


RESUMABLE = ("out", "checkpoint_rows")
"""Fields that may differ when a comparison is resumed."""


def check(config: CompareConfig) -> None:
  """Raises UserError for values that no comparison can be made of."""
  varying.checked(config.vary)
  if config.vary and config.bonuses != CompareConfig.bonuses:
    raise UserError("--bonuses is short for --vary bonus; give one of them.")
  for name in ("vary" if config.vary else "bonuses", "envs", "weights"):
    values = getattr(config, name)
    if name == "vary":
      values = config.names
    if not values or len(set(values)) < len(values):
      raise UserError(f"--{name} is {' '.join(map(str, values))!r}; name at least one, each once.")
  for name in ("steps", "seeds", "curve_points", "checkpoint_rows", "eval_episodes"):
    if getattr(config, name) < 1:
      raise UserError(f"--{name.replace('_', '-')} is {getattr(config, name)}; give at least 1.")
  if not all(0.0 < weight < math.inf for weight in config.weights):
    raise UserError(f"--weights is {config.weights}; give numbers above 0.")
  if config.tune and not config.agent.payment.bonus_weight > 0.0:
    raise UserError("--bonus-weight must be above 0 where weights are tuned; or give --no-tune.")
  if not 0.0 < config.tuning_share <= 1.0:
    raise UserError(f"--tuning-share is {config.tuning_share}; give a share above 0, at most 1.")


def differences(old: dict[str, Any], new: CompareConfig) -> list[str]:
  """Names, with both values, what differs from the config.json of a comparison."""
  stored.check_format(old)
  a = stored.flatten(old)
  b = stored.flatten(json.loads(new.to_json()))
  return [
    f"{n} was {a.get(n)!r}, now {b.get(n)!r}"
    for n in dict.fromkeys((*a, *b))
    if n not in RESUMABLE and a.get(n) != b.get(n)
  ]
