"""Environments stepped one after another in the caller's thread, or by a pool of threads."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Iterable, Sequence
from typing import Any

import dm_env
import jax
import numpy as np
from dm_env import specs

from envs.errors import RAISED, EnvironmentFailed, raised
from envs.host.environment import HostEnvironment, VectorEnvironment, environment_seeds
from envs.observation import Spec, zeros
from envs.success import UNKNOWN, reported_by


def cores() -> int:
  """Processor cores that this process may use."""
  affinity = getattr(os, "sched_getaffinity", None)
  return len(affinity(0)) if affinity else os.cpu_count() or 1


def empty(spec: Spec, num_envs: int) -> dm_env.TimeStep:
  """Room for the time steps of B environments, all LAST, so that a step starts an episode."""
  return dm_env.TimeStep(
    step_type=np.full(num_envs, dm_env.StepType.LAST, np.int32),
    reward=np.zeros(num_envs, np.float32),
    discount=np.ones(num_envs, np.float32),
    observation=zeros(spec, (num_envs,)),
  )


def write(batch: dm_env.TimeStep, index: int, timestep: dm_env.TimeStep) -> None:
  """Puts the time step of one environment into its place; a FIRST has reward 0 and discount 1."""
  first = timestep.reward is None
  batch.step_type[index] = timestep.step_type
  batch.reward[index] = 0.0 if first else timestep.reward
  batch.discount[index] = 1.0 if first else timestep.discount
  jax.tree.map(lambda b, x: b.__setitem__(index, x), batch.observation, timestep.observation)


def unknown_words(env: Any) -> int:
  """Words of the last observation of one environment that have no number, as far as it tells."""
  tell = getattr(env, "unknown_words", None)
  return 0 if tell is None else int(tell())


def check_actions(spec: specs.Array, actions: Any, num_envs: int) -> np.ndarray:
  """Returns actions [B, *A] in the spec's dtype.

  Raises:
    ValueError: one line, if there are more or fewer, or of another shape or kind.
  """
  array = np.asarray(actions)
  if array.shape != (num_envs, *spec.shape):
    raise ValueError(f"actions have shape {array.shape}; expected {(num_envs, *spec.shape)}.")
  if array.dtype == spec.dtype:
    return array
  if np.issubdtype(spec.dtype, np.integer) != np.issubdtype(array.dtype, np.integer):
    raise ValueError(f"actions have dtype {array.dtype}; expected {spec.dtype}.")
  return array.astype(spec.dtype, copy=False)


class SerialVector(VectorEnvironment):
  """B environments in a loop in the caller's thread: best where a step takes microseconds."""

  def __init__(self, env: HostEnvironment, num_envs: int, seed: int):
    self.num_envs = num_envs
    self._name = env.name
    self._action_spec = env.action_spec()
    self._envs = [env.make(seed) for seed in environment_seeds(seed, num_envs)]
    self._batch = empty(env.observation_spec(), num_envs)
    self._success = np.full(num_envs, UNKNOWN, np.int8)
    self._unknown = np.zeros(num_envs, np.int32)

  def reset(self) -> dm_env.TimeStep:
    self._advance(range(self.num_envs), None)
    return self._batch

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    action = check_actions(self._action_spec, action, self.num_envs)
    self._advance(range(self.num_envs), action)
    return self._batch

  def success(self) -> np.ndarray:
    return self._success

  def unknown_words(self) -> np.ndarray:
    return self._unknown

  def close(self) -> None:
    for env in self._envs:
      env.close()
    self._envs = []

  def _advance(self, indices: Iterable[int], action: np.ndarray | None) -> None:
    """Steps some of the environments, or resets them where there is no action."""
    for index in indices:
      env = self._envs[index]
      try:
        write(self._batch, index, env.reset() if action is None else env.step(action[index]))
        self._success[index], self._unknown[index] = reported_by(env), unknown_words(env)
      except RAISED as error:
        raise EnvironmentFailed(raised(self._name, index, error)) from error


class ThreadVector(SerialVector):
  """B environments shared out among threads: for libraries that release the GIL while they step."""

  def __init__(self, env: HostEnvironment, num_envs: int, seed: int, timeout: float):
    super().__init__(env, num_envs, seed)
    self._timeout = timeout
    threads = min(num_envs, cores())
    self._shares: Sequence[np.ndarray] = np.array_split(np.arange(num_envs), threads)
    self._pool = concurrent.futures.ThreadPoolExecutor(threads, "environments")

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    """As the contract says.

    Raises:
      EnvironmentFailed: what an environment raised; or that a step is stuck: a thread, unlike a
        process, cannot be replaced.
    """
    action = check_actions(self._action_spec, action, self.num_envs)
    running = [self._pool.submit(self._advance, share, action) for share in self._shares]
    _, stuck = concurrent.futures.wait(running, self._timeout)
    if stuck:
      raise EnvironmentFailed.saying(
        f"environment {self._name!r}",
        f"a step took more than {self._timeout:g} s; with stepping='processes' such an environment"
        " is replaced.",
      )
    for future in running:
      future.result()
    return self._batch

  def close(self) -> None:
    self._pool.shutdown(wait=True, cancel_futures=True)
    super().close()
