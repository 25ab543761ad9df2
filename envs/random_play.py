"""What random play scores: the floor that an agent's score is to be read against."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from envs.environment import LAST, Environment, Reference
from envs.observation import legal
from envs.random_action import random_action

PARALLEL = 1024
"""Episodes played at a time."""
DISCOUNT = 0.99


@functools.partial(jax.jit, static_argnames=("env", "episodes"))
def _play(env: Environment, key: jax.Array, episodes: int) -> Reference:
  spec = env.action_spec()

  def episode(key: jax.Array) -> Reference:
    reset_key, play_key = jax.random.split(key)
    state, timestep = env.reset(reset_key)

    def act(carry):
      state, _, mask, total, discounted, length = carry
      action = random_action(spec, jax.random.fold_in(play_key, length), legal=mask)
      state, timestep = env.step(state, action)
      discounted += DISCOUNT**length * timestep.reward
      total, mask = total + timestep.reward, legal(timestep.observation)
      return state, timestep.step_type, mask, total, discounted, length + 1

    # A bound on the length, so that an environment which forgets to end is cut, not waited for.
    def unfinished(carry):
      return (carry[1] != LAST) & (carry[5] < env.max_episode_steps)

    zero = jnp.float32(0)
    start = (state, timestep.step_type, legal(timestep.observation), zero, zero, jnp.int32(0))
    _, _, _, total, discounted, length = jax.lax.while_loop(unfinished, act, start)
    success = (total >= env.success_return).astype(jnp.float32)
    return Reference(success, total, length.astype(jnp.float32), discounted)

  scores = jax.lax.map(episode, jax.random.split(key, episodes), batch_size=PARALLEL)
  return jax.tree.map(jnp.mean, scores)


def random_play(env: Environment, key: jax.Array, episodes: int = 10_000) -> Reference:
  """Plays whole episodes with uniformly random actions and returns their mean scores.

  Every episode that is started is played to its end and counted once, so that short episodes are
  not over-represented, as they are where a fixed number of steps is played.

  Args:
    env: any environment whose episodes end.
    key: typed PRNG key.
    episodes: how many to play.

  Raises:
    ValueError: if `episodes` is not positive.
  """
  if episodes < 1:
    raise ValueError(f"episodes must be positive, got {episodes}.")
  return Reference(*(float(score) for score in _play(env, key, episodes)))
