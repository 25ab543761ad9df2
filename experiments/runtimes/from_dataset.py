"""The runtime that plays nothing: windows of a dataset's episodes, and the learner on them.

A batch is B windows of T + 1 entries of all episodes one after another, as a stream that restarts
by itself would show them; where each begins is drawn evenly. What an actor would have left, its
memory and what it says of its policy, is not stored: memories begin anew with each window. Seeds
are one more `vmap`, each with windows of its own, which follow from its seed and the count of
updates, so that a resumed run is the same to the bit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import TimeStep

from agents.agent import Agent, Metrics
from agents.trajectory import Trajectory
from envs.environment import FIRST, LAST, MID, Environment
from envs.goals.goal_environment import GoalEnvironment
from envs.host.environment import HostEnvironment
from experiments.datasets.dataset import Dataset
from experiments.runs.rows import SUMS
from experiments.runtimes import loop
from experiments.runtimes.interval import Interval, Pace
from experiments.runtimes.loop import Progress
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig, environment_settings


class Carry(NamedTuple):
  """All of a run between two updates: learner states [S], and the updates done, int32."""

  learner: Any
  updates: jax.Array


class Stream:
  """The episodes of a dataset one after another, as entries of a trajectory, N + E of them.

  Attributes:
    step_type: int32 [N + E].
    action: [N + E, *A], 0 of an episode's last entry.
    reward, discount: float32 [N + E], on arriving; 0 and 1 where an episode begins.
  """

  def __init__(self, dataset: Dataset):
    self._dataset = dataset
    count, before = dataset.observations, dataset.before
    firsts = dataset.starts[:-1] + np.arange(len(dataset))
    self.step_type = np.full(count, MID, np.int32)
    self.step_type[firsts] = FIRST
    self.step_type[firsts + dataset.lengths] = LAST
    self.action = np.zeros((count, *dataset.action.shape[1:]), dataset.action.dtype)
    self.action[before] = dataset.action
    self.reward, self.discount = np.zeros(count, np.float32), np.ones(count, np.float32)
    self.reward[before + 1] = dataset.reward
    self.discount[before + 1] = dataset.discount

  def window(self, begins: np.ndarray, length: int) -> Trajectory:
    """The `length` entries from each of these, arrays [length, *begins, ...]; without extras and
    memory."""
    rows = begins + np.arange(length).reshape(-1, *(1,) * begins.ndim)
    return Trajectory(
      observation=self._dataset.observed(rows),
      action=self.action[rows],
      reward=self.reward[rows],
      discount=self.discount[rows],
      step_type=self.step_type[rows],
      extras=(),
      memory=(),
    )


class DatasetLoop(loop.Loop):
  """Trains on a dataset; see above. It is opened when it is asked for, so that a finished run can
  be read where its dataset is not."""

  def __init__(self, config: TrainConfig, env: Environment | HostEnvironment, agent: Agent):
    self._config, self._env, self._agent = config, env, agent
    self._interval = Interval(config, agent.data)
    self._seeds = [lane.seed for lane in config.lanes()]
    self._keys = config.keys()

  @functools.cached_property
  def stream(self) -> Stream:
    """The dataset's episodes.

    Raises:
      UserError: one line, if it is not sound, of another environment, or shorter than an unroll.
    """
    if isinstance(self._env, GoalEnvironment):
      raise UserError(
        f"--dataset: episodes of {self._config.env} are stored without their goals; rarebird"
        " offline learns from them."
      )
    dataset = Dataset(self._config.dataset)
    settings = environment_settings(self._config.env_args)
    dataset.require_env(self._config.env, self._env, settings)
    length = self._agent.data.unroll_length
    if dataset.observations <= length:
      raise UserError(
        f"{dataset.path} has {dataset.observations:,} observations, and an unroll {length + 1};"
        " give a smaller --unroll-length, or another dataset."
      )
    return Stream(dataset)

  def prepare(self) -> None:
    """Opens the dataset; raises as `stream` does."""
    _ = self.stream

  def init(self) -> Carry:
    return Carry(jax.jit(jax.vmap(self._agent.init))(self._keys), jnp.int32(0))

  def updates(self, state: Carry) -> int:
    return int(state.updates)

  def variables(self, state: Carry) -> Any:
    return jax.vmap(self._agent.variables)(state.learner)

  def learners(self, state: Carry) -> Any:
    return state.learner

  def with_learners(self, state: Carry, learners: Any) -> Carry:
    return state._replace(learner=loop.placed(learners, state.learner))

  def batch(self, updates: int) -> Trajectory:
    """What the update after so many learns from, arrays [T+1, S, B, ...]."""
    data = self._agent.data
    most = len(self.stream.step_type) - data.unroll_length
    drawn = [
      np.random.default_rng([seed, updates]).integers(most, size=data.batch_size)
      for seed in self._seeds
    ]
    return self.stream.window(np.stack(drawn), data.unroll_length + 1)

  def train(self, state: Carry, stopping: Callable[[], bool]) -> Generator[Progress]:
    config, interval = self._config, self._interval
    learn, diagnose = self._programs()
    updates, learner = self.updates(state), state.learner
    while updates < interval.total:
      pace, history = Pace(self._agent.data, updates), []
      for _ in range(config.log_updates):
        batch = self.batch(updates)
        learner, metrics = learn(learner, batch, updates)
        history.append(metrics)
        updates += 1
      means = {name: np.mean([np.asarray(m[name]) for m in history], 0) for name in history[0]}
      means |= {name: np.asarray(x) for name, x in diagnose(learner, batch).items()}
      rate = len(self._seeds) * pace.take(updates)[0]
      rows = [
        interval.row({name: x[i] for name, x in means.items()}, updates, rate, i)
        for i in range(len(self._seeds))
      ]
      yield Progress.at(updates, rows, Carry(learner, jnp.int32(updates)))
      if stopping():
        return

  def _programs(self) -> tuple[Any, Any]:
    """An update of all seeds, and the diagnoses after it, compiled at their first calls."""
    agent, keys = self._agent, self._keys

    def one(learner: Any, part: Trajectory, key: jax.Array, updates: jax.Array) -> Any:
      found = agent.learn(learner, _whole(agent, part), jax.random.fold_in(key, updates))
      finite = [jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(agent.variables(found.state))]
      told: Metrics = dict.fromkeys(SUMS, jnp.float32(0.0))
      told["finite_params"] = jnp.all(jnp.stack(finite)).astype(jnp.float32)
      return found.state, found.metrics | told

    def diagnosis(learner: Any, part: Trajectory) -> Metrics:
      return agent.diagnose(learner, _whole(agent, part))

    # Trajectories are [T+1, S, B]: the axis of seeds is 1.
    learn = jax.vmap(one, in_axes=(0, 1, 0, None))
    return (
      jax.jit(lambda learner, part, n: learn(learner, part, keys, n), donate_argnums=0),
      jax.jit(jax.vmap(diagnosis, in_axes=(0, 1))),
    )


def _whole(agent: Agent, part: Trajectory) -> Trajectory:
  """A trajectory with a memory that begins anew, and zeros for what an actor says of its policy."""
  lead = part.reward.shape
  memory = agent.initial_memory(lead[1])

  def act() -> Any:
    begin = jax.tree.map(lambda x: x[0], part)
    timestep = TimeStep(begin.step_type, begin.reward, begin.discount, begin.observation)
    variables = agent.variables(agent.init(jax.random.key(0)))
    return agent.act(variables, memory, timestep, jax.random.key(0), True)[1]

  extras = jax.tree.map(lambda x: jnp.zeros((lead[0], *x.shape), x.dtype), jax.eval_shape(act))
  return part._replace(memory=agent.stored(memory), extras=extras)
