"""Tiny environments with known values; each isolates one thing that an agent must get right.

An agent that fails a probe is broken in a place that the probe's name tells: the value loss
(constant_reward), the observation's way to the value head (observation_reward), discounting
(delayed_reward), the policy loss (action_reward), both together (observation_action_reward), the
memory (memory), and bootstrapping at the two ends of an episode (truncation, termination).
"""

from __future__ import annotations

import abc
from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.environment import Environment, registry, restart, transition


class KnownValue(NamedTuple):
  """The value that optimal play has at an observation.

  Attributes:
    observation: float32 [D].
    value: expected discounted sum of the rewards that follow it.
  """

  observation: np.ndarray
  value: float


class ProbeState(NamedTuple):
  """Steps taken so far, int32, and the episode's cue, float32: -1 or 1 with equal odds."""

  time: jax.Array
  cue: jax.Array


class Probe(Environment[ProbeState]):
  """What the probes share: two actions, a random cue, an end after `max_episode_steps`."""

  max_episode_steps = 1
  truncates = False
  width = 1

  @abc.abstractmethod
  def observe(self, state: ProbeState) -> jax.Array:
    """The observation of a state, float32 [width], within -1 and 1."""

  @abc.abstractmethod
  def reward(self, state: ProbeState, action: jax.Array) -> jax.Array:
    """The reward of an action taken in a state."""

  @abc.abstractmethod
  def values(self, gamma: float) -> dict[str, KnownValue]:
    """Known values by the name of their observation, for rewards discounted by `gamma`."""

  def reset(self, key: jax.Array) -> tuple[ProbeState, dm_env.TimeStep]:
    state = ProbeState(jnp.int32(0), jax.random.rademacher(key, (), jnp.float32))
    return state, restart(self.observe(state))

  def step(self, state: ProbeState, action: jax.Array) -> tuple[ProbeState, dm_env.TimeStep]:
    reward = self.reward(state, action)
    state = state._replace(time=state.time + 1)
    ended = state.time >= self.max_episode_steps
    terminated, truncated = (False, ended) if self.truncates else (ended, False)
    return state, transition(self.observe(state), reward, terminated, truncated)

  def observation_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray((self.width,), np.float32, -1.0, 1.0, "observation")

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(2, np.int32, "action")


@registry.register("probe/constant_reward")
class ConstantReward(Probe):
  """One step, always reward 1: the value is 1."""

  def observe(self, state: ProbeState) -> jax.Array:
    return jnp.ones(1, jnp.float32)

  def reward(self, state: ProbeState, action: jax.Array) -> jax.Array:
    return jnp.float32(1.0)

  def values(self, gamma: float) -> dict[str, KnownValue]:
    return {"only": _known([1.0], 1.0)}


class _Cued(Probe):
  """One step that shows the cue."""

  def observe(self, state: ProbeState) -> jax.Array:
    return state.cue[None]


@registry.register("probe/observation_reward")
class ObservationReward(_Cued):
  """One step whose reward is the observed cue: the value is the observation."""

  def reward(self, state: ProbeState, action: jax.Array) -> jax.Array:
    return state.cue

  def values(self, gamma: float) -> dict[str, KnownValue]:
    return {"minus": _known([-1.0], -1.0), "plus": _known([1.0], 1.0)}


@registry.register("probe/observation_action_reward")
class ObservationActionReward(_Cued):
  """One step: reward 1 if the action tells the observed cue, else -1."""

  def reward(self, state: ProbeState, action: jax.Array) -> jax.Array:
    return _match(state.cue, action)

  def values(self, gamma: float) -> dict[str, KnownValue]:
    return {"minus": _known([-1.0], 1.0), "plus": _known([1.0], 1.0)}


@registry.register("probe/action_reward")
class ActionReward(ConstantReward):
  """One step: reward 1 for action 1, -1 for action 0."""

  def reward(self, state: ProbeState, action: jax.Array) -> jax.Array:
    return jnp.where(action == 1, 1.0, -1.0)


@registry.register("probe/delayed_reward")
class DelayedReward(Probe):
  """Two steps, reward 1 for the second: the value is gamma, then 1."""

  max_episode_steps = 2

  def observe(self, state: ProbeState) -> jax.Array:
    return (state.time == 1).astype(jnp.float32)[None]

  def reward(self, state: ProbeState, action: jax.Array) -> jax.Array:
    return jnp.where(state.time == 1, 1.0, 0.0)

  def values(self, gamma: float) -> dict[str, KnownValue]:
    return {"first": _known([0.0], gamma), "second": _known([1.0], 1.0)}


@registry.register("probe/memory")
class Memory(Probe):
  """The cue is shown at the first step only; at the last, reward 1 for telling it, else -1."""

  width = 2

  def __init__(self, delay: int = 3):
    """Builds the probe.

    Args:
      delay: steps from the cue to the question that asks for it.

    Raises:
      ValueError: if `delay` is not positive.
    """
    if delay < 1:
      raise ValueError(f"delay is {delay}; expected at least 1.")
    self.delay = delay
    self.max_episode_steps = delay + 1

  def observe(self, state: ProbeState) -> jax.Array:
    cue = jnp.where(state.time == 0, state.cue, 0.0)
    question = jnp.where(state.time == self.delay, 1.0, 0.0)
    return jnp.stack([cue, question])

  def reward(self, state: ProbeState, action: jax.Array) -> jax.Array:
    return jnp.where(state.time == self.delay, _match(state.cue, action), 0.0)

  def values(self, gamma: float) -> dict[str, KnownValue]:
    """The value at the question is that of an agent which remembers; without memory it is 0."""
    return {
      "cue_minus": _known([-1.0, 0.0], gamma**self.delay),
      "cue_plus": _known([1.0, 0.0], gamma**self.delay),
      "question": _known([0.0, 1.0], 1.0),
    }


class _Clock(Probe):
  """Reward 1 a step; shows the time modulo `length`, so the last observation is also the first."""

  def __init__(self, length: int = 4):
    """Builds the probe.

    Args:
      length: steps of an episode.

    Raises:
      ValueError: if `length` is less than 2.
    """
    if length < 2:
      raise ValueError(f"length is {length}; expected at least 2.")
    self.max_episode_steps = self.width = length
    self.success_return = float(length)

  def observe(self, state: ProbeState) -> jax.Array:
    return jax.nn.one_hot(state.time % self.max_episode_steps, self.width, dtype=jnp.float32)

  def reward(self, state: ProbeState, action: jax.Array) -> jax.Array:
    return jnp.float32(1.0)

  def values(self, gamma: float) -> dict[str, KnownValue]:
    clocks = np.eye(self.width)
    return {
      f"step_{t}": _known(clocks[t], self._value(self.max_episode_steps - t, gamma))
      for t in range(self.max_episode_steps)
    }

  @abc.abstractmethod
  def _value(self, left: int, gamma: float) -> float:
    """The value with `left` steps to go."""


@registry.register("probe/truncation")
class Truncation(_Clock):
  """Reward 1 a step, cut off by time alone: bootstrapped, the value is 1 / (1 - gamma)."""

  truncates = True

  def _value(self, left: int, gamma: float) -> float:
    return 1.0 / (1.0 - gamma)


@registry.register("probe/termination")
class Termination(_Clock):
  """Truncation's twin, which really ends: the value is the sum over the steps to go."""

  def _value(self, left: int, gamma: float) -> float:
    return sum(gamma**k for k in range(left))


def _known(observation: list[float] | np.ndarray, value: float) -> KnownValue:
  return KnownValue(np.asarray(observation, np.float32), float(value))


def _match(cue: jax.Array, action: jax.Array) -> jax.Array:
  return jnp.where((action == 1) == (cue > 0), 1.0, -1.0)
