"""What random play scores: the floor that an agent's score is to be read against."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from envs.environment import Environment, Reference
from experiments.acting import rollout
from experiments.acting.policy import RandomPolicy

PARALLEL = 1024
"""Episodes played at a time, at most."""


@functools.partial(jax.jit, static_argnames=("env", "batch"))
def _play(env: Environment, batch: int, keys: jax.Array) -> tuple[jax.Array, ...]:
  """The means that a Reference holds, in its order."""
  policy = RandomPolicy(env.action_spec())
  scores = jax.lax.map(lambda key: rollout.episodes(env, policy, (), batch, key)[0], keys)
  success = scores.episode_return >= env.success_return
  parts = (success, scores.episode_return, scores.length, scores.discounted_return)
  return tuple(jnp.mean(part) for part in parts)


def random_play(env: Environment, key: jax.Array, episodes: int = 10_000) -> Reference:
  """Plays whole episodes with uniformly random actions and returns their mean scores.

  Every episode that is started is played to its end and counted once, so that short episodes are
  not over-represented, as they are where a fixed number of steps is played.

  Args:
    env: any environment whose episodes end.
    key: typed PRNG key.
    episodes: at least so many are played, in rounds of equal size.

  Raises:
    ValueError: if `episodes` is not positive.
  """
  if episodes < 1:
    raise ValueError(f"episodes must be positive, got {episodes}.")
  rounds = -(-episodes // PARALLEL)
  scores = _play(env, -(-episodes // rounds), jax.random.split(key, rounds))
  return Reference(*(float(score) for score in scores))
