"""The environment contract: dm_env made functional, so that it vmaps, scans and jits.

`reset(key) -> (state, TimeStep)` and `step(state, action) -> (state, TimeStep)` are pure functions
over pytrees. The end of an episode is told in one way everywhere:

  termination  step_type LAST, discount 0
  truncation   step_type LAST, discount 1 (the value of the last observation is bootstrapped)

What only some environments can do beside that is in `envs.capabilities`. `envs.auto_reset` makes an
endless stream of episodes out of one.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import dm_env
import jax
import jax.numpy as jnp
from dm_env import specs

from envs.observation import Spec
from envs.registry import Registry

State = TypeVar("State")

FIRST = int(dm_env.StepType.FIRST)
MID = int(dm_env.StepType.MID)
LAST = int(dm_env.StepType.LAST)

registry = Registry("environment", "envs", several=True)
register = registry.register


class Reference(NamedTuple):
  """What a known policy scores, to print beside an agent's score.

  Attributes:
    success: share of episodes that succeed, in [0, 1].
    episode_return: mean undiscounted return.
    length: mean number of steps of an episode.
    discounted_return: mean return discounted by .99 a step.
  """

  success: float
  episode_return: float
  length: float
  discounted_return: float


class Environment(abc.ABC, Generic[State]):
  """A functional environment. Subclasses hold constants only; all that changes is in the state.

  Attributes:
    success_return: an episode whose undiscounted return reaches this counts as a success;
      infinite where success is not defined.
    max_episode_steps: no episode is longer than this many steps.
    costly_reset: whether a reset costs more than a step; `AutoReset` then computes no more of them
      than there are episodes that ended.
    costly_step: whether a step is as dear as a picture; evaluations then play fewer episodes.
  """

  success_return: float = 1.0
  max_episode_steps: int = 1000
  costly_reset: bool = False
  costly_step: bool = False

  @abc.abstractmethod
  def reset(self, key: jax.Array) -> tuple[State, dm_env.TimeStep]:
    """Starts an episode: returns its state and a FIRST step with reward 0 and discount 1."""

  @abc.abstractmethod
  def step(self, state: State, action: jax.Array) -> tuple[State, dm_env.TimeStep]:
    """Advances by one step. What a step after LAST returns is undefined; see `AutoReset`."""

  @abc.abstractmethod
  def observation_spec(self) -> Spec:
    """Of one observation: an array's, or a dict of leaves; see `envs.observation`."""

  @abc.abstractmethod
  def action_spec(self) -> specs.Array:
    """The actions: a DiscreteArray, one integer from 0 to num_values - 1; a BoundedArray of int32
    [*A] from 0, several integers at once; or a BoundedArray of float32 [*A], whose bounds may be
    infinite, or an Array of them, which has none. See `envs.action_specs`.
    """

  def splits(self) -> Mapping[str, Environment]:
    """Named variants of this environment to evaluate on; by default itself alone."""
    return {"train": self}

  def optimal(self) -> Reference | None:
    """What optimal play scores here, where that is known."""
    return None


def restart(observation: Any) -> dm_env.TimeStep:
  """A FIRST step in arrays of explicit dtype: reward float32 0, discount float32 1."""
  return dm_env.TimeStep(
    step_type=jnp.int32(FIRST),
    reward=jnp.float32(0.0),
    discount=jnp.float32(1.0),
    observation=observation,
  )


def transition(
  observation: Any,
  reward: jax.Array,
  terminated: jax.Array | bool,
  truncated: jax.Array | bool = False,
) -> dm_env.TimeStep:
  """A MID or LAST step: `terminated` ends with discount 0, `truncated` alone with discount 1."""
  last = jnp.logical_or(terminated, truncated)
  return dm_env.TimeStep(
    step_type=jnp.where(last, LAST, MID).astype(jnp.int32),
    reward=jnp.asarray(reward, jnp.float32),
    discount=jnp.where(terminated, 0.0, 1.0).astype(jnp.float32),
    observation=observation,
  )
