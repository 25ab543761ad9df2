"""What `rarebird compare` can be told."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from typing import Any

from agents import auxiliaries
from agents.latent.config import AgentConfig
from agents.trajectory import DataSpec
from experiments.settings import choices, flags, reader, recipes, stored, varying
from experiments.settings import train as configs
from experiments.settings.errors import UserError
from experiments.settings.train import DEFAULT_AGENT, TrainConfig, agent_config

RECIPES = ("deep_sea_20", "nine_rooms", "nine_rooms_noise")
"""Worlds that are compared where none is named: reward far away, none at all, and noise."""
STEPS = 1_000_000
"""Environment steps of one seed, where neither is told."""
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
  auxiliaries: tuple[str, ...] = ()
  """Short for --vary auxiliary, names of `rarebird list auxiliaries`: byol msn none; the page then
  has the accuracy of probes too."""
  envs: tuple[str, ...] = ()
  """Environments, JAX ones, each with its settings: name?setting=value&setting=value. Where neither
  they nor --recipes are named: the worlds of deep_sea_20, nine_rooms and nine_rooms_noise, which
  are recipes, unless the agent has settings of your own."""
  recipes: tuple[str, ...] = ()
  """In place of --envs and the agent's settings: worlds with their own, names of `rarebird list
  recipes`. --auxiliary goes with them, where a recipe names none."""
  suite: str = ""
  """Comparisons that belong together, a name of `rarebird list suites`: all are run, one after
  another, each in a folder of its own in --out; flags beside it go to each of them."""
  parts: tuple[str, ...] = ()
  """The comparisons of --suite to run, by their names; all where none is named."""
  steps: int = 0
  """Environment steps of one seed, counting the resets; rounded up to whole points of the curve.
  Where it is 0, a million, or of --recipes their own."""
  seed: int = 0
  """First seed."""
  seeds: int = 8
  """Seeds of every variant in every environment, side by side in one program."""
  out: str = "compare/bonuses"
  """Folder of the comparison."""
  tune: bool = True
  """Choose each bonus's weight on other seeds first, where bonuses are varied; else all take
  --bonus-weight. A recipe has the weight of its own bonus; others' are chosen in each by itself."""
  weights: tuple[float, ...] = (0.001, 0.01, 0.1)
  """Weights that are tried."""
  tuning_share: float = 1 / 2
  """Share of the steps that a weight is tried for."""
  bonus_weights: tuple[str, ...] = ()
  """Weights of single variants, as name=number, where weights are not tuned."""
  stop_solved: bool = False
  """Stop a variant in an environment when the mean of its seeds has been solved at three points of
  the curve in a row; the rest counts as it was then."""
  max_minutes: float = 0.0
  """Leave out, for another time, what would take longer in one environment, by the time that its
  first points take; 0 leaves out nothing."""
  films: bool = True
  """Draw film strips of the best and of the median agent, for the page."""
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
    if self.vary:
      return self.vary[0]
    return "auxiliary" if self.auxiliaries else "bonus"

  @property
  def names(self) -> tuple[str, ...]:
    """The variants, as they were named."""
    return self.vary[1:] if self.vary else self.auxiliaries or self.bonuses

  def baseline(self, names: list[str]) -> str | None:
    """The variant that the others are compared with: none, or else what the agent has by itself,
    or else, where that is not a bonus, the first."""
    if self.varies in ("bonus", "auxiliary"):
      return NONE if NONE in names else None
    own = varying.own(self.varies, self.agent_name, self.agent)
    return own if own in names else names[0]

  @functools.cached_property
  def worlds(self) -> dict[str, TrainConfig]:
    """What the recipes say, by the names of their environments as --envs has them."""
    found: dict[str, TrainConfig] = {}
    for name in self.recipes:
      words = recipes.expanded(["--recipe", name, "--agent", self.agent_name], self.agent_name)
      run = reader.read("train", words, TrainConfig.of(self.agent_name))
      auxiliary = run.agent.auxiliary or self.agent.auxiliary
      run = dataclasses.replace(run, agent=dataclasses.replace(run.agent, auxiliary=auxiliary))
      env = choices.joined(run.env, run.env_args)
      if env in found:
        raise UserError(f"--recipes: {found[env].recipe} and {name} are both of {env}; name one.")
      found[env] = run
    return found

  def updates_per_row(self, agent: AgentConfig, steps: int) -> int:
    """Updates of an agent between two points of the curve of a run of so many environment steps;
    they are one call of the program."""
    return max(int(steps / (self.curve_points * _steps_per_update(agent))), 1)

  def rows(self, run: TrainConfig) -> int:
    """Points of the curve of a whole run."""
    return math.ceil(run.steps / self.steps_per_row(run))

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
    base, steps = self.agent, self.steps
    if self.recipes:
      base, steps = self.worlds[env].agent, self.steps or self.worlds[env].steps
    agent_name, agent = varying.varied(self.varies, variant, self.agent_name, base)
    if weight is None:
      weight = self.given_weights().get(variant)
    if weight is not None:
      payment = dataclasses.replace(agent.payment, bonus_weight=weight)
      agent = dataclasses.replace(agent, payment=payment)
    run = TrainConfig(
      env=name,
      env_args=env_args,
      steps=steps,
      seed=self.seed,
      seeds=self.seeds,
      out=out,
      log_updates=self.updates_per_row(agent, steps),
      eval_episodes=self.eval_episodes,
      checkpoint_rows=self.checkpoint_rows,
      agent_name=agent_name,
      agent=agent,
    )
    return dataclasses.replace(run, eval_rows=self.rows(run))

  def given_weights(self) -> dict[str, float]:
    """The weights that are named for single variants; a wrong one is a UserError."""
    known = self.names
    if EVERY in known:
      known = tuple(varying.every(self.varies, self.agent))
    weights: dict[str, float] = {}
    for pair in self.bonus_weights:
      name, _, number = pair.rpartition("=")  # the name may have settings: rnd?size=8=0.1
      try:
        weight = float(number)
      except ValueError:
        weight = math.nan
      if not (name and 0.0 < weight < math.inf):
        raise UserError(f"--bonus-weights {pair!r}: write name=number, the number above 0.")
      if name in weights:
        raise UserError(f"--bonus-weights: {name} is given twice; give it once.")
      if name not in known:
        raise UserError(f"--bonus-weights: {name} is not compared; there are {', '.join(known)}.")
      weights[name] = weight
    return weights

  def to_json(self) -> str:
    """The config as JSON text, for config.json; of recipes also what they say now."""
    worlds = {env: stored.data(run) for env, run in self.worlds.items()}
    return json.dumps(stored.data(self) | ({"worlds": worlds} if worlds else {}), indent=2) + "\n"

  def flat_agent(self) -> dict[str, Any]:
    """The agent's settings by their flags' names, less those that are compared or that differ from
    one recipe to another."""
    agents = [run.agent for run in self.worlds.values()] or [self.agent]
    first, *others = map(self._flat, agents)
    return {name: x for name, x in first.items() if all(other.get(name) == x for other in others)}

  def _flat(self, agent: AgentConfig) -> dict[str, Any]:
    path = varying.path(self.varies, agent)
    if not path:
      return {}
    fields = stored.flatten(dataclasses.asdict(agent))
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


LATER = ("auxiliaries", "recipes", "suite", "parts", "bonus_weights", "stop_solved", "films")
"""Fields that comparisons of the first edition lack; they are as if these had been left out."""
RESUMABLE = ("out", "checkpoint_rows", "max_minutes", "films")
"""Fields that may differ when a comparison is resumed."""


def with_worlds(config: CompareConfig) -> CompareConfig:
  """The config with the environments of its recipes, or with those that are usual, and its steps.

  Raises:
    UserError: for a recipe that there is not, or beside a flag that recipes stand in for.
  """
  if not config.recipes:
    config = dataclasses.replace(config, steps=config.steps or STEPS)
    if config.envs:
      return config
    same_agent = config.agent_name == DEFAULT_AGENT and config.varies != "agent"
    if not (same_agent and _plain(config)):  # the same worlds, without the recipes' settings
      worlds = map(recipes.load, RECIPES)
      envs = tuple(choices.joined(recipe.env, recipe.env_args) for recipe in worlds)
      return dataclasses.replace(config, envs=envs)
    config = dataclasses.replace(config, recipes=RECIPES)
  for flag, differs in (("--envs", config.envs), ("the agent's settings", not _plain(config))):
    if differs:
      raise UserError(f"--recipes have their own of it: leave out {flag}, or change a recipe.")
  return dataclasses.replace(config, envs=tuple(config.worlds))


def _plain(config: CompareConfig) -> bool:
  """Whether the agent has no settings of the user's own, but for auxiliary losses."""
  usual = CompareConfig.of(config.agent_name).agent
  return dataclasses.replace(config.agent, auxiliary=usual.auxiliary) == usual


def as_given(config: CompareConfig) -> CompareConfig:
  """The config as flags would give it: that which `with_worlds` makes this of."""
  if not config.recipes:
    return config
  if config.recipes == RECIPES and config.steps == STEPS:
    config = dataclasses.replace(config, recipes=(), steps=0)
  return dataclasses.replace(config, envs=())


def check(config: CompareConfig) -> None:
  """Raises UserError for values that no comparison can be made of."""
  varying.checked(config.vary)
  if config.parts:
    raise UserError("--parts are of a suite; give --suite beside it.")
  if config.given_weights() and config.tune and config.varies == "bonus":
    raise UserError("--bonus-weights stand where weights are not tuned; give --no-tune beside it.")
  if not 0.0 <= config.max_minutes < math.inf:
    raise UserError(f"--max-minutes is {config.max_minutes}; give 0, for any, or more.")
  if config.vary and config.auxiliaries:
    raise UserError("--auxiliaries is short for --vary auxiliary; give one of them.")
  if (config.vary or config.auxiliaries) and config.bonuses != CompareConfig.bonuses:
    raise UserError("--bonuses is short for --vary bonus; give one of them.")
  short = "auxiliaries" if config.auxiliaries else "bonuses"
  for name in ("vary" if config.vary else short, "envs", "weights"):
    values = getattr(config, name)
    if name == "vary":
      values = config.names
    if not values or len(set(values)) < len(values):
      raise UserError(f"--{name} is {' '.join(map(str, values))!r}; name at least one, each once.")
  if config.steps < 0:
    raise UserError(f"--steps is {config.steps}; give 0, for as many as usual, or more.")
  for name in ("seeds", "curve_points", "checkpoint_rows", "eval_episodes"):
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
  a = {n: json.loads(json.dumps(getattr(CompareConfig, n))) for n in LATER} | a
  # More cells beside those that there are change none of them, unless weights are tuned for all.
  names = ("recipes", "envs", "bonuses", "auxiliaries", "vary")
  vary, auxiliaries = a.get("vary"), a.get("auxiliaries")
  varied = vary[0] if vary else "auxiliary" if auxiliaries else "bonus"
  grows = names if varied == new.varies and (not new.tune or new.recipes) else ()
  added = tuple(f"worlds.{env}." for env in new.worlds if env not in a.get("envs", ()))

  def same(name: str) -> bool:
    if name in grows:
      return set(a.get(name) or ()) <= set(b.get(name) or ())
    return a.get(name) == b.get(name) or (bool(added) and name.startswith(added))

  return [
    f"{n} was {a.get(n)!r}, now {b.get(n)!r}"
    for n in dict.fromkeys((*a, *b))
    if n not in RESUMABLE and not same(n)
  ]
