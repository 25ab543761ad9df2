"""Plays whole episodes to be stored: `rarebird collect`."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np

from envs.environment import FIRST, LAST, Environment
from envs.goals.goal_environment import SEEN, GoalEnvironment
from envs.host.environment import HostEnvironment
from envs.host.vector import vector
from envs.observation import legal, one_line, same
from envs.random_action import random_action
from experiments.acting.host_rollout import MOST_ENVIRONMENTS
from experiments.datasets import minari
from experiments.datasets.dataset import Episode, stored_spec
from experiments.datasets.description import Description
from experiments.runs import experiment as train
from experiments.settings import train as configs
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig

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


class Policy(NamedTuple):
  """Who plays.

  Attributes:
    variables: what it plays with.
    initial_memory: batch -> memory.
    act: (variables, memory, timestep [B], key) -> (action [B, *A], memory), to be compiled.
  """

  variables: Any
  initial_memory: Callable[[int], Any]
  act: Callable[[Any, Any, Any, jax.Array], tuple[jax.Array, Any]]


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
  run = None if config.policy == RANDOM or config.from_minari else train.load(Path(config.policy))
  named = TrainConfig(env=config.env, env_args=config.env_args)
  if not config.env and run:
    named = run[0].config
  if not config.env and config.env_args:
    raise UserError("--env-args are of no environment; give --env too.")
  settings = configs.environment_settings(named.env_args)
  if config.from_minari:
    env = configs.build_environment(named) if config.env else None
    return Source(*minari.read(config.from_minari, config.env or None, settings, env))
  if not named.env:
    raise UserError("there is nothing to play in; give --env.")
  env = configs.build_environment(named)
  policy = run_policy(*run, env) if run else random_policy(env)
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
  if isinstance(env, HostEnvironment):
    blocks = play_host(env, policy, config.episodes, config.seed)
  else:
    blocks = play_blocks(env, policy, config.episodes, config.seed)
  return Source(description, config.episodes, blocks)


def random_policy(env: Environment | HostEnvironment) -> Policy:
  """Actions drawn evenly within their bounds."""
  spec = env.action_spec()

  def act(variables: Any, memory: Any, timestep: Any, key: jax.Array) -> tuple[jax.Array, Any]:
    mask = legal(timestep.observation)
    return random_action(spec, key, timestep.step_type.shape, mask), memory

  return Policy((), lambda batch: (), act)


def run_policy(
  experiment: train.Experiment, state: Any, env: Environment | HostEnvironment
) -> Policy:
  """The exploring agent of a run's first seed; one of other specs is a UserError."""
  agent, own = experiment.agent, experiment.env
  for spec in ("observation_spec", "action_spec"):
    theirs, ours = getattr(own, spec)(), getattr(env, spec)()
    if not same(theirs, ours):
      raise UserError(
        f"the agent of {experiment.config.folder()} was trained in {experiment.config.env}, whose"
        f" {spec} is {one_line(theirs)}; here it is {one_line(ours)}: give another --env."
      )

  def act(variables: Any, memory: Any, timestep: Any, key: jax.Array) -> tuple[jax.Array, Any]:
    action, _, memory = agent.act(variables, memory, timestep, key, True)
    return action, memory

  first_seed = jax.tree.map(lambda x: x[0], experiment.loop.variables(state))
  return Policy(first_seed, agent.initial_memory, act)


def play_blocks(
  env: Environment, policy: Policy, episodes: int, seed: int
) -> Iterator[tuple[Episode, np.ndarray]]:
  """Plays a JAX environment, many episodes side by side, block by block, in one program."""
  quantities = (stored_spec(env), env.action_spec())
  step_bytes = sum(spec.dtype.itemsize * max(1, int(np.prod(spec.shape))) for spec in quantities)
  room = BLOCK_BYTES // (step_bytes * (env.max_episode_steps + 1))
  batch = min(episodes, PARALLEL, max(1, room))
  play = jax.jit(_player(env, policy, batch))
  key = jax.random.key(seed)
  for block, begin in enumerate(range(0, episodes, batch)):
    played, lengths = jax.device_get(play(policy.variables, jax.random.fold_in(key, block)))
    lengths = lengths[: episodes - begin]

    def flat(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
      """[T, B, ...] as the first rows of each episode, one episode after another."""
      values = values[: rows.max(), : len(rows)].swapaxes(0, 1)
      return values[np.arange(values.shape[1]) < rows[:, None]]

    yield (
      Episode(
        flat(played.observation, lengths + 1),
        flat(played.action, lengths),
        flat(played.reward, lengths),
        flat(played.discount, lengths),
      ),
      lengths,
    )


def _player(
  env: Environment, policy: Policy, batch: int
) -> Callable[[Any, jax.Array], tuple[Episode, jax.Array]]:
  """(variables, key) -> `Episode` of arrays [T + 1 or T, B, ...], lengths int32 [B]; what comes
  after the end of an episode means nothing."""
  limit, has_goal = env.max_episode_steps, isinstance(env, GoalEnvironment)

  def seen(timestep: dm_env.TimeStep) -> jax.Array:
    return timestep.observation[:, SEEN] if has_goal else timestep.observation

  def play(variables: Any, key: jax.Array) -> tuple[Episode, jax.Array]:
    reset_key, act_key = jax.random.split(key)
    state, timestep = jax.vmap(env.reset)(jax.random.split(reset_key, batch))
    first, spec = seen(timestep), env.action_spec()
    zeros = jnp.zeros((limit, batch), jnp.float32)
    steps = Episode(
      jnp.zeros((limit + 1, *first.shape), first.dtype).at[0].set(first),
      jnp.zeros((limit, batch, *spec.shape), spec.dtype),
      zeros,
      zeros,
    )

    def unfinished(carry: tuple) -> jax.Array:
      return jnp.any(carry[4]) & (carry[6] < limit)

    def body(carry: tuple) -> tuple:
      state, timestep, memory, steps, running, lengths, t = carry
      action, memory = policy.act(variables, memory, timestep, jax.random.fold_in(act_key, t))
      state, timestep = jax.vmap(env.step)(state, action)
      steps = Episode(
        steps.observation.at[t + 1].set(seen(timestep)),
        steps.action.at[t].set(action),
        steps.reward.at[t].set(timestep.reward),
        steps.discount.at[t].set(timestep.discount),
      )
      going_on = running & (timestep.step_type != LAST)
      return state, timestep, memory, steps, going_on, lengths + running, t + 1

    alive, none = jnp.ones((batch,), bool), jnp.zeros((batch,), jnp.int32)
    memory = policy.initial_memory(batch)
    carry = (state, timestep, memory, steps, alive, none, jnp.int32(0))
    _, _, _, steps, _, lengths, _ = jax.lax.while_loop(unfinished, body, carry)
    return steps, lengths

  return play


def play_host(
  env: HostEnvironment, policy: Policy, episodes: int, seed: int
) -> Iterator[tuple[Episode, np.ndarray]]:
  """Plays an environment on the host, a few side by side; episodes come as they end.

  How many each plays is fixed beforehand: counting the first to end would favour short episodes.
  """
  batch = min(episodes, MOST_ENVIRONMENTS)
  left = np.bincount(np.arange(episodes) % batch)
  act, memory, key = jax.jit(policy.act), policy.initial_memory(batch), jax.random.key(seed)
  with vector(env, batch, seed) as environments:
    timestep = environments.reset()
    under_way = [Episode([seen.copy()], [], [], []) for seen in timestep.observation]
    for t in itertools.count():
      if not left.any():
        return
      chosen, memory = act(policy.variables, memory, timestep, jax.random.fold_in(key, t))
      action = np.asarray(chosen)
      timestep = environments.step(action)
      for i, episode in enumerate(under_way):
        if timestep.step_type[i] == FIRST:
          under_way[i] = Episode([timestep.observation[i].copy()], [], [], [])
          continue
        episode.observation.append(timestep.observation[i].copy())
        episode.action.append(action[i])
        episode.reward.append(timestep.reward[i])
        episode.discount.append(timestep.discount[i])
        if timestep.step_type[i] == LAST and left[i]:
          left[i] -= 1
          yield Episode(*map(np.stack, episode)), np.array([len(episode.action)])
