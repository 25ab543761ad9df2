"""What `rarebird train` can be told: documented dataclasses, each field a flag."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import hashlib
import inspect
import json
import math
import os
import re
from pathlib import Path
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp

from agents import agent as agents
from agents.agent import Agent, Teacher
from agents.latent.config import AgentConfig
from agents.trajectory import DataSpec
from envs import conformance
from envs.by_name import builder as environment_builder
from envs.by_name import make as make_environment
from envs.environment import Environment
from envs.host.environment import STEP_TIMEOUT, HostEnvironment
from envs.registry import LATER, REGISTRY, Choice
from experiments.experience import rate_limiter
from experiments.settings import choices, flags, memory, stored, sweeps
from experiments.settings.errors import UserError, failing
from experiments.trackers import tracker

DEFAULT_AGENT = "byol_explore"
DEFAULT_LOG = (Choice("tensorboard"),)
Config = TypeVar("Config")


def agent_config(name: str) -> AgentConfig:
  """The settings that an agent begins with; an unknown name is a UserError."""
  try:
    kind = agents.registry.get(name)
  except ValueError as error:
    raise UserError(str(error)) from error
  if not isinstance(kind, agents.Kind):
    raise UserError(f"agent {name!r} is a {type(kind).__name__}, not an agents.agent.Kind.")
  if kind.offline:
    raise UserError(f"{name} learns from a dataset: rarebird offline --dataset DIR.")
  return kind.config()


@dataclasses.dataclass(frozen=True)
class TrainConfig:
  """Train an agent; the same command again resumes it."""

  env: str = "zipf/gridworld"
  """Environment: a name of `rarebird list envs`, or module:Name for one of your own."""
  env_args: tuple[str, ...] = ()
  """Settings of the environment, as name=value (for zipf/gridworld: exponent=1.0)."""
  runtime: Literal["auto", "on_device", "actor_learner", "cluster"] = "auto"
  """Where it runs: on_device compiles acting, environment and learning into one program (for JAX
  environments); actor_learner steps any environment in threads beside the learner; cluster, which
  `rarebird launch` sets, spreads both over processes and machines. `auto` takes on_device where the
  environment allows it."""
  steps: int = 3_000_000
  """Environment steps of one seed, counting the resets; rounded up to whole log intervals."""
  seed: int = 0
  """First seed; on_device the same seed on the same device gives the same bits."""
  seeds: int = 1
  """How many seeds, side by side in one program."""
  sweep: tuple[str, ...] = ()
  """Hyper-parameters that are tried side by side in the same program, each with every seed:
  learning_rate=1e-4,3e-4,1e-3; of several numbers every combination (on_device)."""
  start_from: str = dataclasses.field(default="", metadata={"flag": "from", LATER: True})
  """Run folder to go on from: its newest checkpoint's world model, of the same seed where it has
  several; the optimiser and all else begin anew."""
  from_heads: bool = dataclasses.field(default=False, metadata={LATER: True})
  """Take the heads of --from as well, and with them its policy and values."""
  teacher: str = dataclasses.field(default="", metadata={LATER: True})
  """Run folder of a trained agent, which the auxiliary losses crd, kd and policy_kl learn from; it
  stays as it is."""
  dataset: str = dataclasses.field(default="", metadata={LATER: True})
  """Dataset of `rarebird collect` to learn from in place of playing, for --objective none."""
  recipe: str = ""
  """Settings found for a world, a name of `rarebird list recipes`; flags given beside it win."""
  out: str = ""
  """Run folder; by default runs/ and a name made of environment, bonus and seed."""
  log: tuple[Choice, ...] = dataclasses.field(
    default=DEFAULT_LOG, metadata={REGISTRY: tracker.registry, LATER: True}
  )
  """Where the log goes beside metrics.jsonl, any number of `rarebird list trackers`, or none."""
  log_updates: int = 48
  """Updates between two rows of the log; they are one call of the compiled program, and a multiple
  of the updates that follow each unroll where there is a replay."""
  eval_rows: int = 10
  """Log rows between two evaluations on every split; the last row is always evaluated."""
  eval_episodes: int = 0
  """Episodes of each split in an evaluation, for each seed; 0 takes 256, or 16 on the host."""
  checkpoint_rows: int = 20
  """Log rows between two checkpoints; the last row is always saved."""
  devices: int = 0
  """Devices that share the seeds where there is a whole number for each, else the environments, or
  on the host the batch; 0 takes all accelerators, or as many cores of the CPU as can share the
  seeds."""
  actors: int = 1
  """Actors that step environments beside the learner, each a thread or, launched, a process."""
  envs_per_actor: int = 0
  """Environments that one actor steps together; 0 shares out the batch among the actors."""
  step_timeout: float = STEP_TIMEOUT
  """Seconds after which an environment that runs in a process of its own counts as stuck."""
  experience: Literal["embedded", "reverb"] = "embedded"
  """What lies between actors and learner: a queue in this process, or a Reverb server."""
  agent_name: str = flags.named("agent", DEFAULT_AGENT)
  """Agent, a name of `rarebird list agents` or module:Name; it says what the settings below are."""
  agent: AgentConfig = dataclasses.field(default_factory=lambda: agent_config(DEFAULT_AGENT))
  """The agent's settings."""

  @classmethod
  def of(cls, agent_name: str) -> TrainConfig:
    """The default run of an agent; an unknown name is a UserError."""
    return cls(agent_name=agent_name, agent=agent_config(agent_name))

  def folder(self) -> str:
    """The run folder, given or made of the names that tell runs apart."""
    if self.out:
      return self.out
    if self.recipe:
      # Another recipe of that name, or other flags beside it, are another folder.
      same = dataclasses.replace(self, seed=0, seeds=1, log=DEFAULT_LOG)
      digest = hashlib.sha256(to_json(same).encode()).hexdigest()[:6]
      return f"runs/{self.recipe}-{digest}-seed{self.seed}"
    agent = [] if self.agent_name == DEFAULT_AGENT else [self.agent_name]
    seed = f"seed{self.seed}"
    begun = [f"from-{Path(self.start_from).name}"] if self.start_from else []
    begun += [f"of-{Path(self.dataset).name}"] if self.dataset else []
    parts = [self.env, *self.env_args, *agent, self.agent.bonus.name, *begun, *self.sweep, seed]
    return "runs/" + "-".join(re.sub(r"[^A-Za-z0-9.=]+", "_", part) for part in parts)

  def environments(self, data: DataSpec) -> int:
    """Environments that one actor steps together."""
    return self.envs_per_actor or max(data.batch_size // self.actors, 1)

  def lanes(self) -> list[sweeps.Lane]:
    """What is trained side by side: the seeds, of each combination of swept numbers."""
    return sweeps.lanes(self.sweep, range(self.seed, self.seed + self.seeds))

  def keys(self) -> jax.Array:
    """The keys of what is trained side by side, [S]; the same for each combination."""
    return jnp.stack([jax.random.key(lane.seed) for lane in self.lanes()])

  def rows(self, data: DataSpec) -> int:
    """Log intervals of the whole run."""
    return math.ceil(self.steps / (self.log_updates * steps_per_update(data)))

  def episodes_per_evaluation(self, env: Environment | HostEnvironment) -> int:
    """Episodes of each split, given or by the kind of environment."""
    return self.eval_episodes or (256 if isinstance(env, Environment) else 16)


def steps_per_update(data: DataSpec) -> float:
  """Environment steps, of all environments, that one update stands for.

  A step is one of one environment, a reset counted as one. An update is a call of `Agent.learn`,
  which learns from B trajectories of T steps; in a replay each of them is drawn
  `samples_per_insert` times, so that an update stands for so many times fewer steps.
  """
  ratio = 1.0 if data.replay is None else data.replay.samples_per_insert
  return data.unroll_length * data.batch_size / ratio


def steps(data: DataSpec, updates: int) -> int:
  """Environment steps that a run of so many updates has taken, those of its warm-up included."""
  return round(updates * steps_per_update(data))


def warm_up(data: DataSpec) -> int:
  """Updates with which the count of a run begins, so that steps and updates go up together.

  They stand for the steps of the first `min_size` trajectories of a replay; there was no call of
  `learn` then. The on_device runtime fills it in whole unrolls and counts as it does so.
  """
  if data.replay is None:
    return 0
  return math.ceil(data.replay.min_size * data.replay.samples_per_insert / data.batch_size)


RESUMABLE = (
  "steps", "out", "log", "eval_episodes", "checkpoint_rows", "devices", "actors", "envs_per_actor",
  "step_timeout", "experience",
)  # fmt: skip
"""Fields that may differ when a run is resumed: none changes what was learned so far."""


def check(config: TrainConfig) -> None:
  """Raises UserError for values no run can be made of."""
  for name in ("steps", "seeds", "log_updates", "eval_rows", "checkpoint_rows", "actors"):
    if getattr(config, name) < 1:
      raise UserError(f"--{name.replace('_', '-')} is {getattr(config, name)}; give at least 1.")
  for name in ("eval_episodes", "envs_per_actor", "devices"):
    if getattr(config, name) < 0:
      raise UserError(f"--{name.replace('_', '-')} is {getattr(config, name)}; give 0 or more.")
  if not config.step_timeout > 0:
    raise UserError(f"--step-timeout is {config.step_timeout}; give seconds above 0.")
  if not 0 <= config.seed <= 2**32 - config.seeds:
    raise UserError(f"--seed is {config.seed}; give 0 or more, below 2**32 with all the seeds.")
  if config.from_heads and not config.start_from:
    raise UserError("--from-heads are of --from; give the run folder there.")
  if config.dataset:
    check_dataset(config)
  try:
    tracker.check(config.log)
  except ValueError as error:
    raise UserError(str(error)) from error
  sweeps.parse(config.sweep)
  model = config.agent.world_model
  for name, size in {
    "latent-size": model.latent_size,
    "core-size": model.core_size,
  }.items():
    if size < 1:
      raise UserError(f"--{name} is {size}; give at least 1.")


def check_dataset(config: TrainConfig) -> None:
  """Raises UserError where what is asked for cannot be learned from stored episodes."""
  own = config.agent
  if own.objective.name != "none" or own.bonus.name != "none":
    raise UserError(
      "--dataset trains auxiliary losses alone; give --objective none --bonus none, and go on from"
      " that run with --from."
    )
  if own.replay.replay_capacity:
    raise UserError("--dataset is drawn from as a whole; leave --replay-capacity out.")
  if config.runtime not in ("auto", "on_device"):
    raise UserError(f"--dataset has no actors; leave --runtime {config.runtime} out.")
  if config.teacher or config.sweep:
    raise UserError("--dataset goes with neither --teacher nor --sweep.")


def environment_settings(pairs: tuple[str, ...]) -> dict[str, Any]:
  """Parses name=value pairs; a value is a Python literal, or else a string."""
  return choices.literals(pairs, "--env-args")


def build_environment(config: TrainConfig) -> Environment | HostEnvironment:
  """Builds the environment; a wrong name or setting, or what its code raises, is a UserError."""
  try:
    with failing(f"environment {config.env!r} cannot be built", libraries=True):
      settings = environment_settings(config.env_args)
      builder = environment_builder(config.env)
      known = inspect.signature(builder).parameters
      takes_any = any(p.kind is p.VAR_KEYWORD for p in known.values())
      for name in settings:
        if name not in known and not takes_any:
          near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.3)
          hint = (
            f"; did you mean {near[0]}?" if near else f"; it has: {', '.join(known) or 'none'}."
          )
          raise UserError(f"environment {config.env!r} has no setting {name!r}{hint}")
      env = make_environment(config.env, **settings)
      if isinstance(env, Environment):
        conformance.check_structure(env, jax.random.key(0))
      else:
        env.observation_spec()  # now, as one may be built for it
      return env
  except (ValueError, conformance.ConformanceError) as error:
    raise UserError(str(error)) from error


def spread(lanes: int) -> None:
  """Has JAX show cores of the CPU as devices, as many as can share what is trained side by side.

  Two programs, each for half of the seeds, use two cores better than one whose products are split.
  After the first use of JAX it is too late: then there is one device, and nothing else changes; nor
  does it where XLA_FLAGS say how many there are.
  """
  cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
  count = _dividing(lanes, cores)
  if count > 1 and "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
    with contextlib.suppress(RuntimeError):
      jax.config.update("jax_num_cpu_devices", count)


def local_devices(config: TrainConfig) -> list[jax.Device]:
  """The devices of this process that a run takes; more than there are is a UserError."""
  devices = jax.local_devices()
  if config.devices > len(devices):
    raise UserError(f"--devices is {config.devices}; this machine has {len(devices)}.")
  if config.devices or devices[0].platform != "cpu":
    return devices[: config.devices or len(devices)]
  return devices[: _dividing(len(config.lanes()), len(devices))]  # cores are for seeds alone


def _dividing(count: int, most: int) -> int:
  """The largest number of at most `most` by which `count` can be divided."""
  return max(n for n in range(1, most + 1) if count % n == 0)


def build_agent(
  config: TrainConfig, env: Environment | HostEnvironment, teacher: Teacher | None = None
) -> Agent:
  """Builds the agent; a wrong name or number is a UserError."""
  try:
    with failing(f"agent {config.agent_name!r} cannot be built"):
      data = config.agent.data
      if data.replay is not None:
        rate_limiter.replay_spec(data)
      learned = config.rows(data) * config.log_updates - warm_up(data)
      given = agents.Given(max(learned, 0), teacher, bool(config.dataset))
      agent = agents.registry.get(config.agent_name).build(config.agent, env, given)
      state = jax.eval_shape(agent.init, jax.random.key(0))  # a torso may not fit the observation
    memory.check_batch(config.env, env.observation_spec(), agent.data, state)
    memory.check_replay(agent)
    sweeps.check(config.sweep, agent.turns)
  except (TypeError, ValueError) as error:
    raise UserError(str(error)) from error
  filled, total = warm_up(agent.data), config.rows(agent.data) * config.log_updates
  if total <= filled:
    raise UserError(
      f"--steps is {config.steps}; the replay is filled with {steps(agent.data, filled)} before"
      " anything is learned: give more, or a smaller --replay-min-size."
    )
  return agent


def to_json(config: TrainConfig) -> str:
  """The config as JSON text, for config.json."""
  return stored.text(config)


def from_json(text: str) -> TrainConfig:
  """Reads what `to_json` wrote.

  Raises:
    ValueError: if a field is missing, unknown or refused, or if it is of another version's form.
  """
  values = json.loads(text)
  if not isinstance(values, dict):
    raise ValueError("not a JSON object")
  stored.check_format(values)
  own = {name: value for name, value in values.items() if name != stored.KEY}
  name = own.get("agent_name", DEFAULT_AGENT)
  return stored.built(TrainConfig.of(name), own)


def differences(old: TrainConfig, new: TrainConfig) -> list[str]:
  """Names, with both values, what differs between two configs and may not on resuming."""
  a, b = (stored.flatten(dataclasses.asdict(c)) for c in (old, new))
  return [
    f"{n} was {a.get(n)!r}, now {b.get(n)!r}"
    for n in dict.fromkeys((*a, *b))
    if n not in RESUMABLE and a.get(n) != b.get(n)
  ]
