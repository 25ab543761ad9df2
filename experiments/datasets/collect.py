"""Plays whole episodes to be stored: `rarebird collect`."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from envs.environment import Environment
from envs.goals.goal_environment import GoalEnvironment
from envs.host.environment import HostEnvironment
from envs.observation import VIEW, leaves, one_line, same
from experiments.acting import host_rollout, rollout
from experiments.acting.policy import ActingPolicy, AgentPolicy, RandomPolicy
from experiments.datasets import minari
from experiments.datasets.dataset import Episode, stored_spec
from experiments.datasets.description import Description
from experiments.runs.experiment import Experiment, load
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig, build_environment, environment_settings

RANDOM = "random"
PARALLEL = 256
"""Episodes of a JAX environment that are played side by side at most."""
BLOCK_BYTES = 2**26
"""What they may take together."""


@dataclasses.dataclass(frozen=True)
class CollectConfig:
  """Store episodes in a dataset, to learn from offline."""

  out: str
  """Folder of the dataset; it may not exist."""
  env: str = ""
  """Environment, as for `train`; by default the one of the run that plays."""
  env_args: tuple[str, ...] = ()
  """Settings of the environment, as name=value (max_episode_steps=1000, where it has this one)."""
  policy: str = RANDOM
  """Who plays: random, evenly over all actions; or a run folder, whose first seed's agent explores
  as it was last saved."""
  episodes: int = 10_000
  """Whole episodes to play."""
  seed: int = 0
  """Of episodes and actions; the same seed on the same device gives the same bytes."""
  from_minari: str = ""
  """Plays nothing and converts this Minari dataset, a name or a folder; with --env, one of that
  environment. Nothing is downloaded."""


class Source(NamedTuple):
  """Where episodes come from.

  Attributes:
    description: of them, not counted yet.
    episodes: how many will come.
    blocks: some episodes at a time, and their lengths [E], as `Writer.add` takes them.
  """

  description: Description
  episodes: int
  blocks: Iterator[tuple[Episode, np.ndarray]]


def source(config: CollectConfig) -> Source:
  """Makes ready what was asked for, and plays nothing yet; what is wrong is a UserError."""
  if config.episodes < 1:
    raise UserError(f"--episodes is {config.episodes}; give at least 1.")
  if not 0 <= config.seed < 2**32:
    raise UserError(f"--seed is {config.seed}; give 0 or more, below 2**32.")
  run = None if config.policy == RANDOM or config.from_minari else load(Path(config.policy))
  named = TrainConfig(env=config.env, env_args=config.env_args)
  if not config.env and run:
    named = run[0].config
  if not config.env and config.env_args:
    raise UserError("--env-args are of no environment; give --env too.")
  settings = environment_settings(named.env_args)
  if config.from_minari:
    env = build_environment(named) if config.env else None
    return Source(*minari.read(config.from_minari, config.env or None, settings, env))
  if not named.env:
    raise UserError("there is nothing to play in; give --env.")
  env = build_environment(named)
  policy, variables = run_policy(*run, env) if run else (RandomPolicy(env.action_spec()), ())
  description = Description(
    env=named.env,
    settings=settings,
    view=isinstance(env, GoalEnvironment),
    observation=stored_spec(env),
    action=env.action_spec(),
    policy=config.policy,
    seed=config.seed,
    creation={
      "jax": jax.__version__,
      "numpy": np.__version__,
      "device": jax.devices()[0].device_kind,
      "max_episode_steps": env.max_episode_steps,
    },
  )
  asked = (policy, variables, config.episodes, config.seed)
  blocks = play_host(env, *asked) if isinstance(env, HostEnvironment) else play_blocks(env, *asked)
  return Source(description, config.episodes, blocks)


def run_policy(
  experiment: Experiment, state: Any, env: Environment | HostEnvironment
) -> tuple[ActingPolicy, Any]:
  """The exploring agent of a run's first seed, with its variables; one of other specs is a
  UserError."""
  agent, trained_in = experiment.agent, experiment.env
  for spec in ("observation_spec", "action_spec"):
    theirs, ours = getattr(trained_in, spec)(), getattr(env, spec)()
    if not same(theirs, ours):
      raise UserError(
        f"the agent of {experiment.config.folder()} was trained in {experiment.config.env}, whose"
        f" {spec} is {one_line(theirs)}; here it is {one_line(ours)}: give another --env."
      )

  first_seed = jax.tree.map(lambda x: x[0], experiment.loop.variables(state))
  return AgentPolicy(agent), first_seed


def play_blocks(
  env: Environment, policy: ActingPolicy, variables: Any, episodes: int, seed: int
) -> Iterator[tuple[Episode, np.ndarray]]:
  """Plays a JAX environment, many episodes side by side, block by block, in one program."""
  quantities = (*leaves(stored_spec(env)).values(), env.action_spec())
  step_bytes = sum(spec.dtype.itemsize * max(1, int(np.prod(spec.shape))) for spec in quantities)
  room = BLOCK_BYTES // (step_bytes * (env.max_episode_steps + 1))
  batch = min(episodes, PARALLEL, max(1, room))
  has_goal = isinstance(env, GoalEnvironment)

  def arrivals(acting: rollout.Acting) -> Any:
    observation = acting.timestep.observation
    return observation[VIEW] if has_goal else observation

  def steps(step: rollout.Step) -> tuple[jax.Array, ...]:
    return step.action, step.after.timestep.reward, step.after.timestep.discount

  @jax.jit
  def play(variables: Any, key: jax.Array) -> tuple[jax.Array, rollout.Recording]:
    recorder = rollout.Recorder(arrivals, steps)
    scores, recording = rollout.episodes(env, policy, variables, batch, key, recorder)
    return scores.length, recording

  key = jax.random.key(seed)
  for block, begin in enumerate(range(0, episodes, batch)):
    lengths, recording = jax.device_get(play(variables, jax.random.fold_in(key, block)))
    lengths = lengths[: episodes - begin]
    observations = jax.tree.map(functools.partial(_flat, rows=lengths + 1), recording.arrivals)
    yield Episode(observations, *(_flat(x, lengths) for x in recording.steps)), lengths


def _flat(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
  """[T, B, ...] as the first `rows` [E] of the first E, one after another, [sum(rows), ...]."""
  values = values[: rows.max(), : len(rows)].swapaxes(0, 1)
  return values[np.arange(values.shape[1]) < rows[:, None]]


def play_host(
  env: HostEnvironment, policy: ActingPolicy, variables: Any, episodes: int, seed: int
) -> Iterator[tuple[Episode, np.ndarray]]:
  """Plays an environment on the host, a few side by side; episodes come as they end."""
  for played in host_rollout.record(env, policy, variables, episodes, seed):
    observations = jax.tree.map(lambda *x: np.stack(x), *played.observation)
    yield Episode(observations, *map(np.stack, played[1:])), np.array([len(played.action)])
