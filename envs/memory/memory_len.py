"""bsuite's memory_len: a bit is shown at first and asked for `length` steps later.

The rules and the observation are those of bsuite's MemoryChain with one bit (Osband et al. 2019,
arXiv 1908.03568): the observation lags a step behind, so that the bit is shown twice.
"""

from __future__ import annotations

from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.environment import Environment, Reference, registry, restart, transition


class MemoryLenState(NamedTuple):
  """Steps taken, and the bit to remember, int32 scalars."""

  time: jax.Array
  bit: jax.Array


@registry.register("memory/memory_len")
class MemoryLen(Environment[MemoryLenState]):
  """Remember one bit for `length` steps; reward 1 for telling it at the end, else -1 (bsuite)."""

  success_return = 1.0

  def __init__(self, length: int = 10):
    """Builds the chain.

    Args:
      length: bsuite's memory_length, 1 to 100 there; an episode has one step more.

    Raises:
      ValueError: if `length` is not positive.
    """
    if length < 1:
      raise ValueError(f"length is {length}; expected at least 1.")
    self.length = length
    self.max_episode_steps = length + 1

  def reset(self, key: jax.Array) -> tuple[MemoryLenState, dm_env.TimeStep]:
    state = MemoryLenState(jnp.int32(0), jax.random.bernoulli(key).astype(jnp.int32))
    return state, restart(self.observe(state))

  def step(
    self, state: MemoryLenState, action: jax.Array
  ) -> tuple[MemoryLenState, dm_env.TimeStep]:
    state = state._replace(time=state.time + 1)
    over = state.time > self.length
    reward = jnp.where(over, jnp.where(action == state.bit, 1.0, -1.0), 0.0)
    return state, transition(self.observe(state), reward, terminated=over)

  def observe(self, state: MemoryLenState) -> jax.Array:
    """Float32 [1, 3]: the share of the time that is left, which bit is asked for (0, as there is
    one), and the bit as -1 or 1 at first, then 0."""
    time = jnp.maximum(state.time - 1, 0)
    left = 1.0 - time / self.length
    bit = jnp.where(time == 0, 2.0 * state.bit - 1.0, 0.0)
    return jnp.stack([left, jnp.zeros_like(left), bit])[None].astype(jnp.float32)

  def observation_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray((1, 3), np.float32, -1.0, 1.0, "observation")

  def action_spec(self) -> specs.DiscreteArray:
    """The bit."""
    return specs.DiscreteArray(2, np.int32, "action")

  def optimal(self) -> Reference:
    """The bit is told."""
    return Reference(1.0, 1.0, self.length + 1.0, 0.99**self.length)
