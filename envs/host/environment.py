"""Environments on the host: the contract of one by name, and of many stepped together.

An environment on the host is a `dm_env.Environment` (Atari, MiniGrid, MuJoCo, a user's own); what a
runtime steps is a `VectorEnvironment`, B of them at once. `envs.host.vector.vector(env, ...)` makes
one of either kind of environment, functional or on the host.
"""

from __future__ import annotations

import abc
import math
from typing import Any, Literal, Protocol, runtime_checkable

import dm_env
import numpy as np
from dm_env import specs

from envs.observation import Spec
from envs.success import UNKNOWN

Stepping = Literal["serial", "threads", "processes"]
STEPPINGS: tuple[Stepping, ...] = ("serial", "threads", "processes")
STEP_TIMEOUT = 60.0
"""Seconds after which a step of an environment in a process of its own counts as stuck."""


class VectorEnvironment(abc.ABC):
  """B environments stepped together, each an endless stream of episodes.

  Auto-reset is dm_env's: the step after a LAST ignores its action and returns the FIRST of a new
  episode, so the final observation of an episode is never dropped. Time steps hold NumPy arrays:
  step_type int32 [B], reward float32 [B], discount float32 [B], observation [B, *O]. They may be
  overwritten by the next call: copy what is kept.

  Attributes:
    num_envs: B.
  """

  num_envs: int

  @abc.abstractmethod
  def reset(self) -> dm_env.TimeStep:
    """Starts B episodes, all FIRST with reward 0 and discount 1. Called once, before any step."""

  @abc.abstractmethod
  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    """Advances all by one step with actions [B, *A].

    Raises:
      EnvironmentFailed: what an environment raised, or that it is stuck or died for good.
    """

  def oracle(self) -> Any:
    """`envs.capabilities.Oracle` [B] of where they are now, if the environment has one, else ()."""
    return ()

  def success(self) -> np.ndarray:
    """What each environment itself tells of its episode, int8 [B]: 1 success, 0 none, -1 nothing.

    It counts where the episode is at its LAST; `envs.success` has the rule. May be overwritten by
    the next step.
    """
    return np.full(self.num_envs, UNKNOWN, np.int8)

  def unknown_words(self) -> np.ndarray:
    """Of each environment, words of its last observation that have no number, int32 [B]."""
    return np.zeros(self.num_envs, np.int32)

  def close(self) -> None:  # noqa: B027  not all have something to free
    """Frees processes, threads and memory; may be called twice."""

  def __enter__(self) -> VectorEnvironment:
    return self

  def __exit__(self, *error: Any) -> None:
    self.close()


class HostEnvironment(abc.ABC):
  """An environment on the host: its specs, and how to make one, or many stepped together.

  Attributes:
    name, settings: `envs.make(name, **settings)` makes this again, in another process too.
    stepping: how many of it are stepped together, see `envs.host.vector`.
    success_return: an episode whose undiscounted return reaches this counts as a success, where
      the environment does not tell success itself (see `envs.success`); infinite for none.
    max_episode_steps: no episode is longer than this many steps.
    failures: how often a worker process of its vectors died or got stuck so far.
  """

  name: str
  settings: dict[str, Any]
  stepping: Stepping = "serial"
  success_return: float = math.inf
  max_episode_steps: int
  failures: int = 0

  @property
  def notes(self) -> tuple[str, ...]:
    """What a person should know before a run, such as what the agent does not see; a line each."""
    return ()

  @abc.abstractmethod
  def observation_spec(self) -> Spec:
    """Of one observation: an array's, or a dict of leaves; see `envs.observation`."""

  @abc.abstractmethod
  def action_spec(self) -> specs.Array:
    """A DiscreteArray, or a BoundedArray of int32 [*A] from 0 (several integers at once) or of
    float32 [*A], whose bounds may be infinite; see `envs.action_specs`."""

  @abc.abstractmethod
  def make(self, seed: int) -> dm_env.Environment:
    """One environment; `seed` fixes its whole sequence of episodes.

    It may have `render() -> uint8 [H, W, 3]`, `close()` and `episode_success() -> int`, which says
    of the episode so far 1 for success, 0 for none and -1 where nothing tells.
    """


@runtime_checkable
class HasVector(Protocol):
  """An environment on the host that steps many of itself by means of its own."""

  def vector(self, num_envs: int, seed: int, timeout: float = STEP_TIMEOUT) -> VectorEnvironment:
    """`num_envs` environments stepped together; `seed` fixes all their episodes."""
    ...


def environment_seed(seed: int, index: int, replacement: int = 0) -> int:
  """The seed of environment `index` of a vector, in [0, 2**31).

  A function of the vector's seed and the index alone, so that an environment plays the same
  episodes however many are beside it and wherever it is stepped.

  Args:
    seed: of the vector.
    index: of the environment, from 0.
    replacement: how often this environment was built anew after it got stuck or died; another
      stream each time, for the same one would lead to the same end.
  """
  entropy = [seed, index, replacement] if replacement else [seed, index]
  return int(np.random.SeedSequence(entropy).generate_state(1)[0] >> 1)


def environment_seeds(seed: int, num_envs: int) -> list[int]:
  """`environment_seed` of each environment of a vector."""
  return [environment_seed(seed, index) for index in range(num_envs)]
