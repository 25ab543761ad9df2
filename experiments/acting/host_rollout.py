"""Policies in environments on the host: step by step, or whole episodes.

Nowhere else are environments on the host stepped by a policy, but for those of Acme's loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import dm_env
import jax
import numpy as np

from agents.agent import Agent
from envs.environment import FIRST
from envs.host.environment import HostEnvironment, VectorEnvironment
from envs.host.vector import vector
from envs.success import outcomes, succeeded
from experiments.acting.episodes import Episodes, HostStats
from experiments.acting.policy import ActingPolicy, AgentPolicy, jitted_act

MOST_ENVIRONMENTS = 8
"""Environments that play whole episodes side by side at most."""


class Stopped(Exception):
  """Playing was given up, as it was asked to."""


class HostRollout:
  """A policy that acts in B environments, with one batched call a step.

  Attributes:
    timestep: where the environments are, [B]; the next step may overwrite its arrays.
  """

  def __init__(self, policy: ActingPolicy, environments: VectorEnvironment, key: jax.Array):
    """Resets the environments; the caller closes them."""
    self._environments = environments
    self._policy, self._act = policy, jitted_act(policy)
    # Placed, as variables are: jit compiles anew for arguments that are placed otherwise.
    self._memory, self._key = jax.device_put(
      (policy.initial_memory(environments.num_envs), key), jax.local_devices()[0]
    )
    self.timestep = environments.reset()

  @property
  def stored(self) -> Any:
    """A copy of what a trajectory keeps of what the policy remembers before its next action, NumPy
    arrays [B, ...]."""
    return jax.tree.map(np.array, self._policy.stored(self._memory))  # the next call donates it

  def choose(self, variables: Any) -> tuple[np.ndarray, Any]:
    """The policy's next action [B, *A] and extras [B, ...]; it remembers, nothing is stepped."""
    action, extras, self._memory, self._key = self._act(
      variables, self._memory, self.timestep, self._key
    )
    return jax.tree.map(np.asarray, (action, extras))

  def step(self, variables: Any) -> tuple[np.ndarray, Any]:
    """Acts once, and returns the action [B, *A] and extras [B, ...] that led to `timestep`.

    Raises what the environments raise; see `envs.host.vector.vector`.
    """
    action, extras = self.choose(variables)
    self.timestep = self._environments.step(action)
    return action, extras


def replay(environments: VectorEnvironment, actions: np.ndarray) -> None:
  """Steps the environments with given actions [T, B, *A]."""
  for action in actions:
    environments.step(action)


def play(
  env: HostEnvironment,
  agent: Agent,
  variables: Any,
  episodes: int,
  key: jax.Array,
  timeout: float,
  explore: bool = True,
  stopping: Callable[[], bool] = lambda: False,
) -> dict[str, Episodes]:
  """Returns `Episodes` [1, E] of the one split, "train".

  Every environment plays as many episodes as any other, since counting the first E that end would
  favour the short ones; E is `episodes` rounded up to that.

  Args:
    env: the environment.
    agent: the agent.
    variables: what it acts with.
    episodes: at least this many.
    key: of environments and actions.
    timeout: seconds after which an environment in a process of its own counts as stuck.
    explore: samples from the policy; otherwise its mode is played.
    stopping: asked before every step.

  Raises:
    Stopped: once `stopping()` is true.
    EnvironmentFailed: see `envs.host.vector.vector`.
  """
  batch = min(episodes, MOST_ENVIRONMENTS)
  rounds = -(-episodes // batch)
  variables, stats = agent.on_task(variables), HostStats(batch)
  done: list[list[tuple[float, float, int, int]]] = [[] for _ in range(batch)]
  env_key, act_key = jax.random.split(key)
  seed = int(jax.random.randint(env_key, (), 0, 2**31 - 1))
  with vector(env, batch, seed, timeout) as environments:
    rollout = HostRollout(AgentPolicy(agent, explore), environments, act_key)
    while any(len(d) < rounds for d in done):
      if stopping():
        raise Stopped
      rollout.step(variables)
      for i in stats.update(rollout.timestep):
        if len(done[i]) < rounds:
          scores = (stats.episode_return[i], stats.discounted_return[i], stats.length[i])
          done[i].append((*scores, environments.success()[i]))
  played = np.array([one for d in done for one in d])
  success = succeeded(outcomes(played[:, 3], played[:, 0], env.success_return))
  return {
    "train": Episodes(
      success=None if success is None else success[None],
      episode_return=played[:, 0][None],
      discounted_return=played[:, 1][None],
      length=played[:, 2][None],
    )
  }


class Played(NamedTuple):
  """A whole episode of T steps, lists of arrays: observations, arrays or dicts of them, T + 1; the
  others T."""

  observation: list[Any]
  action: list[np.ndarray]
  reward: list[np.ndarray]
  discount: list[np.ndarray]


def record(
  env: HostEnvironment, policy: ActingPolicy, variables: Any, episodes: int, seed: int
) -> Iterator[Played]:
  """Plays whole episodes, a few side by side, each handed out as it ends.

  How many each environment plays is fixed beforehand: counting the first to end would favour short
  episodes.
  """
  batch = min(episodes, MOST_ENVIRONMENTS)
  left = np.bincount(np.arange(episodes) % batch)
  with vector(env, batch, seed) as environments:
    rollout = HostRollout(policy, environments, jax.random.key(seed))
    under_way = [_begun(rollout.timestep, i) for i in range(batch)]
    while left.any():
      action, _ = rollout.step(variables)
      timestep = rollout.timestep
      for i, episode in enumerate(under_way):
        if timestep.step_type[i] == FIRST:
          under_way[i] = _begun(timestep, i)
          continue
        episode.observation.append(_observation(timestep, i))
        episode.action.append(action[i])
        episode.reward.append(timestep.reward[i])
        episode.discount.append(timestep.discount[i])
        if timestep.last()[i] and left[i]:
          left[i] -= 1
          yield episode


def _begun(timestep: dm_env.TimeStep, index: int) -> Played:
  return Played([_observation(timestep, index)], [], [], [])


def _observation(timestep: dm_env.TimeStep, index: int) -> Any:
  return jax.tree.map(lambda x: x[index].copy(), timestep.observation)


def batch_of_one(timestep: dm_env.TimeStep) -> dm_env.TimeStep:
  """The time step of one dm_env.Environment as that of B = 1; a FIRST has reward 0, discount 1."""
  return dm_env.TimeStep(
    np.array([timestep.step_type], np.int32),
    np.array([0.0 if timestep.reward is None else timestep.reward], np.float32),
    np.array([1.0 if timestep.discount is None else timestep.discount], np.float32),
    jax.tree.map(lambda x: np.asarray(x)[None], timestep.observation),
  )
