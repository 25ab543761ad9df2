"""An actor: steps many environments with one batched call of the agent, and fills unrolls."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import dm_env
import jax
import numpy as np

from agents.agent import Agent
from agents.trajectory import Trajectory
from envs.environment import FIRST, LAST, Environment
from envs.host.environment import HostEnvironment, VectorEnvironment
from envs.host.vector import vector
from envs.success import SUCCESS, UNKNOWN, outcomes
from experiments.experience.experience import Inserter
from experiments.experience.layout import item_signature
from experiments.runs.rows import SUMS
from experiments.settings.train import TrainConfig


class EpisodeTotals:
  """`rows.SUMS` over the episodes that ended, of many actors, and, where there were such, words
  without a number that were shown, `unknown_words`; `take` empties them."""

  def __init__(self) -> None:
    self._lock = threading.Lock()
    self._sums = dict.fromkeys(SUMS, 0.0)

  def add(self, returns: np.ndarray, lengths: np.ndarray, success: np.ndarray) -> None:
    """Adds the episodes that just ended: returns, lengths and `envs.success.outcomes`, each [E]."""
    new = (
      len(returns),
      returns.sum(),
      lengths.sum(),
      (success == SUCCESS).sum(),
      (success != UNKNOWN).sum(),
    )
    with self._lock:
      for name, value in zip(SUMS, new, strict=True):
        self._sums[name] += float(value)

  def count_words(self, unknown: float) -> None:
    """Adds words that were shown and have no number."""
    self.merge({"unknown_words": unknown})

  def merge(self, sums: dict[str, float]) -> None:
    """Adds what another's `take` returned."""
    with self._lock:
      for name, value in sums.items():
        self._sums[name] = self._sums.get(name, 0.0) + value

  def take(self) -> dict[str, float]:
    """The sums since the last call."""
    with self._lock:
      sums, self._sums = self._sums, dict.fromkeys(self._sums, 0.0)
    return sums


@functools.cache
def jitted_act(agent: Agent, explore: bool) -> Callable[..., Any]:
  """(variables, memory, timestep, key) -> (action, extras, memory, key), one program for all."""

  def act(variables: Any, memory: Any, timestep: Any, key: jax.Array) -> tuple[Any, ...]:
    key, act_key = jax.random.split(key)
    return *agent.act(variables, memory, timestep, act_key, explore), key

  return jax.jit(act, donate_argnums=(1, 3))


class Actor:
  """Acts in E environments and returns unrolls [T+1, E] in buffers of its own.

  Attributes:
    totals: where the episodes that end are counted.
  """

  def __init__(
    self,
    agent: Agent,
    env: VectorEnvironment,
    key: jax.Array,
    variables: Callable[[], Any],
    signature: Trajectory,
    success_return: float,
    totals: EpisodeTotals,
  ):
    """Nothing is stepped yet.

    Args:
      agent: the agent.
      env: the environments; the actor does not close them.
      key: for acting.
      variables: asked for the newest at the start of each unroll; they lie on the first device.
      signature: of an item, see `experience.layout.item_signature`.
      success_return: of the environment, see `envs.success`.
      totals: where episodes are counted.
    """
    self._agent, self._env, self._variables = agent, env, variables
    self._success_return, self.totals = success_return, totals
    self._act = jitted_act(agent, True)
    # Placed, like the variables: jit compiles anew for arguments that are placed otherwise.
    self._memory, self._key = jax.device_put(
      (agent.initial_memory(env.num_envs), key), jax.local_devices()[0]
    )
    # The last action and extras stay 0, as their step is not taken yet.
    self._buffer = jax.tree.map(
      lambda x: np.zeros((x.shape[0], env.num_envs, *x.shape[1:]), x.dtype),
      signature._replace(memory=None),
    )
    self._timestep: dm_env.TimeStep | None = None
    self._returns = np.zeros(env.num_envs, np.float32)
    self._lengths = np.zeros(env.num_envs, np.int64)

  def unroll(self) -> Trajectory:
    """Acts for T steps. The arrays are overwritten by the next call.

    Raises what the environments raise; see `envs.host.vector.vector`.
    """
    length = self._agent.data.unroll_length
    variables, buffer = self._variables(), self._buffer
    timestep = self._timestep or self._env.reset()
    hidden = self._env.oracle()
    memory = jax.tree.map(np.array, self._memory)  # copied: the call below donates it
    for t in range(length):
      action, extras, self._memory, self._key = self._act(
        variables, self._memory, timestep, self._key
      )
      action, extras = jax.tree.map(np.asarray, (action, extras))
      self._record(buffer, t, timestep, hidden)
      buffer.action[t] = action
      jax.tree.map(lambda b, x, t=t: b.__setitem__(t, x), buffer.extras, extras)
      timestep, hidden = self._env.step(action), self._env.oracle()
      self._count(timestep)
    self._record(buffer, length, timestep, hidden)
    # The vector may overwrite its arrays, so the next unroll starts from our copy.
    self._timestep = dm_env.TimeStep(
      *jax.tree.map(
        lambda b: b[length].copy(),
        (buffer.step_type, buffer.reward, buffer.discount, buffer.observation),
      )
    )
    return buffer._replace(memory=memory)

  def policy_alone(self, timestep: dm_env.TimeStep, calls: int) -> None:
    """Asks the policy as `unroll` does, without stepping; for measuring what acting adds."""
    variables = self._variables()
    for _ in range(calls):
      action, extras, self._memory, self._key = self._act(
        variables, self._memory, timestep, self._key
      )
      jax.tree.map(np.asarray, (action, extras))

  @staticmethod
  def _record(buffer: Trajectory, t: int, timestep: dm_env.TimeStep, hidden: Any) -> None:
    buffer.reward[t] = timestep.reward
    buffer.discount[t] = timestep.discount
    buffer.step_type[t] = timestep.step_type
    jax.tree.map(
      lambda b, x: b.__setitem__(t, x),
      (buffer.observation, buffer.oracle),
      (timestep.observation, hidden),
    )

  def _count(self, timestep: dm_env.TimeStep) -> None:
    first = timestep.step_type == FIRST
    self._returns = np.where(first, 0.0, self._returns + timestep.reward).astype(np.float32)
    self._lengths = np.where(first, 0, self._lengths + 1)
    unknown = self._env.unknown_words()
    if unknown.any():
      self.totals.count_words(float(unknown.sum()))
    last = timestep.step_type == LAST
    if last.any():
      returns = self._returns[last]
      success = outcomes(self._env.success()[last], returns, self._success_return)
      self.totals.add(returns, self._lengths[last], success)


def act_forever(
  config: TrainConfig,
  env: Environment | HostEnvironment,
  agent: Agent,
  number: int,
  begin: int,
  variables: Callable[[], Any],
  totals: EpisodeTotals,
  inserter: Inserter,
) -> None:
  """Acts as actor `number` of a run until the inserter or an environment raises.

  Every actor has random streams of its own, drawn from the run's seed, its number and `begin`,
  which is another one each time it starts: the updates done, and how often it was replaced.
  """
  # The third part: of the first two the runtimes make their networks and draw for learning.
  key = jax.random.split(jax.random.key(config.seed), 3)[2]
  key = jax.random.fold_in(jax.random.fold_in(key, number), begin)
  env_key, act_key = jax.random.split(key)
  seed = int(jax.random.randint(env_key, (), 0, 2**31 - 1))
  signature = item_signature(agent, env)
  with vector(env, config.environments(agent.data), seed, config.step_timeout) as environments:
    actor = Actor(agent, environments, act_key, variables, signature, env.success_return, totals)
    while True:
      inserter.wait()
      inserter.insert(actor.unroll())
