"""An actor: steps many environments with one batched call of the agent, and fills unrolls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from agents.agent import Agent
from agents.trajectory import Trajectory
from envs.environment import Environment
from envs.host.environment import HostEnvironment, VectorEnvironment
from envs.host.vector import vector
from experiments.acting import keys
from experiments.acting.episodes import EpisodeTotals, HostStats
from experiments.acting.host_rollout import HostRollout
from experiments.acting.policy import AgentPolicy
from experiments.experience.experience import Inserter
from experiments.experience.layout import item_signature
from experiments.settings.train import TrainConfig


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
    """Resets the environments.

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
    self._rollout = HostRollout(AgentPolicy(agent), env, key)
    self._stats = HostStats(env.num_envs)
    # The last action and extras stay 0, as their step is not taken yet.
    self._buffer = jax.tree.map(
      lambda x: np.zeros((x.shape[0], env.num_envs, *x.shape[1:]), x.dtype),
      signature._replace(memory=None),
    )

  def unroll(self) -> Trajectory:
    """Acts for T steps. The arrays are overwritten by the next call.

    Raises what the environments raise; see `envs.host.vector.vector`.
    """
    length = self._agent.data.unroll_length
    variables, buffer, rollout = self._variables(), self._buffer, self._rollout
    memory = rollout.stored
    for t in range(length):
      self._record(t)
      action, extras = rollout.step(variables)
      buffer.action[t] = action
      jax.tree.map(lambda b, x, t=t: b.__setitem__(t, x), buffer.extras, extras)
      unknown = self._env.unknown_words()
      if unknown.any():
        self.totals.merge({"unknown_words": float(unknown.sum())})
      ended = self._stats.update(rollout.timestep)
      if ended.size:
        returns, lengths = self._stats.episode_return[ended], self._stats.length[ended]
        self.totals.add(returns, lengths, self._env.success()[ended], self._success_return)
    self._record(length)
    return buffer._replace(memory=memory)

  def policy_alone(self, calls: int) -> None:
    """Asks the policy as `unroll` does, without stepping; for measuring what acting adds."""
    variables = self._variables()
    for _ in range(calls):
      self._rollout.choose(variables)

  def _record(self, t: int) -> None:
    """Copies where the environments are to index t of the buffer."""
    buffer, timestep = self._buffer, self._rollout.timestep
    buffer.reward[t] = timestep.reward
    buffer.discount[t] = timestep.discount
    buffer.step_type[t] = timestep.step_type
    jax.tree.map(
      lambda b, x: b.__setitem__(t, x),
      (buffer.observation, buffer.oracle),
      (timestep.observation, self._env.oracle()),
    )


def _keys(seed: int, number: int, begin: int) -> jax.Array:
  """An actor's keys [2], for its environments and for acting; see `act_forever`."""
  (key,) = keys.stream(jax.random.key(seed)[None], keys.ACTORS, number)
  return jax.random.split(jax.random.fold_in(key, begin))


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
  env_key, act_key = _keys(config.seed, number, begin)
  seed = int(jax.random.randint(env_key, (), 0, 2**31 - 1))
  signature = item_signature(agent, env)
  with vector(env, config.environments(agent.data), seed, config.step_timeout) as environments:
    actor = Actor(agent, environments, act_key, variables, signature, env.success_return, totals)
    while True:
      inserter.wait()
      inserter.insert(actor.unroll())
