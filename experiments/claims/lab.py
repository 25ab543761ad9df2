"""Where claims are tried: chance plays, one loss trains a small encoder, and probes read from it.

An arm is told by flags of `rarebird train`, beside those of `SMALL`. What is probed is the same for
all arms and seeds of a world: a few steps of each of some episodes of random play, with what the
environment's oracle tells of them.
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from agents.agent import Agent, Teacher
from envs.environment import Environment
from experiments.acting import rollout
from experiments.claims.claim import Row
from experiments.evaluation import probe_data, probes
from experiments.evaluation.probe_data import AGENT, LATENTS, Played
from experiments.runtimes import on_device
from experiments.settings import flags, reader
from experiments.settings.train import (
  DEFAULT_AGENT,
  TrainConfig,
  build_agent,
  build_environment,
)

WORLD = "--env zipf/gridworld-symbolic --env-args exponent=1"
"""Twenty maps, of which the commonest comes up twenty times as often as the rarest."""
HEADS = "--head-hidden 64 --predictor-hidden 64 --batch-size 32"
SMALL = f"--torso patch --torso.hidden 64 --torso.cell-features 8 {HEADS}"
"""A network that trains in seconds on one core."""
RANDOM_PLAY = "--objective none --bonus none"
UPDATES = 600
"""Of 512 steps each, as in docs/results/representations.md."""
CALL = 50
"""Updates in a call of the program."""
EPISODES = 512
"""Of random play that are probed."""
PROBE_SEED = 4_000_000


class Trained(NamedTuple):
  """An agent after training.

  Attributes:
    env, agent: of it.
    learners: learner states [S].
    carry: of the on_device program, [S].
    metrics: of the last call, scalars of each seed [S].
  """

  env: Environment
  agent: Agent
  learners: Any
  carry: Any
  metrics: dict[str, np.ndarray]


def settings(words: str) -> TrainConfig:
  """The settings that flags of `rarebird train` ask for."""
  arguments = shlex.split(words)
  agent = flags.value_of(arguments, "agent", DEFAULT_AGENT)
  return reader.read("train", arguments, TrainConfig.of(agent))


@functools.cache
def world(words: str) -> Environment:
  """The environment of these flags, one for all arms."""
  env = build_environment(settings(words))
  assert isinstance(env, Environment)
  return env


def trained(
  words: str,
  seeds: Sequence[int],
  updates: int = UPDATES,
  env: Environment | None = None,
  teacher: Teacher | None = None,
  start: Any = None,
) -> Trained:
  """An arm after training, all seeds in one program; arguments as of `training`."""
  *_, done = training(words, seeds, updates, env, teacher, start)
  return done


def training(
  words: str,
  seeds: Sequence[int],
  updates: int = UPDATES,
  env: Environment | None = None,
  teacher: Teacher | None = None,
  start: Any = None,
) -> Iterator[Trained]:
  """Trains an arm, all seeds in one program, and stops after every call of it; what was yielded
  before may be read no more.

  Args:
    words: flags of `rarebird train`.
    seeds: whose keys are those of a run with that seed.
    updates: rounded up to whole calls.
    env: in place of the flags'.
    teacher: to learn from.
    start: learner states [S] to begin from; None for new ones.
  """
  config = settings(words)
  env = world(words) if env is None else env
  agent = build_agent(config, env, teacher)
  runtime = on_device.build(env, agent, CALL, jax.local_devices()[:1], len(seeds))
  carry = runtime.init(jnp.stack([jax.random.key(seed) for seed in seeds]))
  if start is not None:
    carry = carry._replace(learner=jax.tree.map(jnp.copy, start))
  for _ in range(-(-updates // CALL)):
    carry, metrics = runtime.run(carry)
    told = {name: np.asarray(x) for name, x in metrics.items()}
    yield Trained(env, agent, carry.learner, carry, told)


def scores(done: Trained, seeds: Sequence[int], episodes: int) -> dict[str, np.ndarray]:
  """Share of episodes [S] that succeed on each split, by the policy's mode."""
  play = _player(done.env, done.agent, episodes)
  keys = jnp.stack([jax.random.key(PROBE_SEED + seed) for seed in seeds])
  played = jax.device_get(play(jax.vmap(done.agent.variables)(done.learners), keys))
  return {name: np.mean(own.success, axis=1) for name, own in played.items()}


@functools.lru_cache(maxsize=1)
def _player(env: Environment, agent: Agent, episodes: int) -> Any:
  return rollout.split_player(env, agent, episodes, explore=False)


@functools.cache
def observed(env: Environment, episodes: int = EPISODES) -> Played:
  """Steps of random play, as NumPy arrays, where all ranks come up alike; their features are what
  was observed."""
  env = env.splits()[probe_data.probed_split(env)]
  agent = build_agent(settings(f"{SMALL} {RANDOM_PLAY} --auxiliary byol"), env)
  bare = agent._replace(encode=lambda state, observation: observation, probe=None)
  state = jax.jit(agent.init)(jax.random.key(0))
  play = probe_data.player(env, bare, episodes, at_random=True)
  return jax.device_get(play(state, state, jax.random.key(PROBE_SEED)))


def features(done: Trained, played: Played) -> list[tuple[np.ndarray, np.ndarray]]:
  """The latents of what was observed and of what came a step later, [E, K, N] each, of each
  seed."""
  assert done.agent.encode is not None
  encode = jax.jit(jax.vmap(done.agent.encode, in_axes=(0, None)))
  now, after = (np.asarray(encode(done.learners, x)) for x in played.features[LATENTS][AGENT])
  return list(zip(now, after, strict=True))


def probed(done: Trained, names: Sequence[str], played: Played | None = None) -> list[Row]:
  """What linear probes read of these labels from the latents, and how these lie, of each seed.

  A label has `name` (all classes alike), `name_common` and `name_rare`; one that too few episodes
  show has none.
  """
  played = observed(done.env) if played is None else played
  labels = {own.name: own for own in probe_data.labels(done.env, played)}
  train = probes.split(len(played.follows), PROBE_SEED)
  rows = []
  for now, after in features(done, played):
    row: Row = dict(probes.geometry(probes.Features(now, after, played.follows)))
    for name in (name for name in names if name in labels):
      told = probes.linear(now, labels[name], train, PROBE_SEED)
      row |= {name: told.all, f"{name}_common": told.common, f"{name}_rare": told.rare}
    rows.append(row)
  return rows


def with_metrics(rows: list[Row], done: Trained, names: Sequence[str]) -> list[Row]:
  """Rows with what the log says of these at the end of training, of each seed."""
  return [
    row | {name: float(done.metrics[name][i]) for name in names} for i, row in enumerate(rows)
  ]
