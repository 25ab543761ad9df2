"""What random play scores: the floor that an agent's score is to be read against."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs import action_specs
from envs.environment import LAST, Environment, Reference
from envs.observation import legal

PARALLEL = 1024
"""Episodes played at a time."""
DISCOUNT = 0.99


def random_action(
  spec: specs.Array, key: jax.Array, batch: tuple[int, ...] = (), legal: jax.Array | None = None
) -> jax.Array:
  """Actions [*batch, *A] of any kind, drawn evenly where an entry has both bounds.

  As in `gymnasium.spaces.Box.sample`, an entry with one bound lies an exponential of mean 1 within
  it, and one without is a standard normal.

  Args:
    spec: of an action.
    key: of the draw.
    batch: leading axes.
    legal: which actions are allowed, bool [*batch, number of logits], see `envs.observation`; None
      for all. Where it allows none, all are drawn from.
  """
  if legal is not None:
    return _legal_action(spec, key, jnp.asarray(legal))
  shape = (*batch, *spec.shape)
  low, high = action_specs.bounds(spec)
  if action_specs.kind(spec) != "continuous":
    return jax.random.randint(key, shape, 0, high + 1, spec.dtype)
  above, below = np.isfinite(low), np.isfinite(high)
  both = above & below
  if both.all():
    uniform_key = key
  else:
    uniform_key, exponential_key, normal_key = jax.random.split(key, 3)
  drawn = jax.random.uniform(
    uniform_key, shape, spec.dtype, np.where(both, low, 0.0), np.where(both, high, 1.0)
  )
  if not both.all():
    within = jax.random.exponential(exponential_key, shape, spec.dtype)
    free = jax.random.normal(normal_key, shape, spec.dtype)
    drawn = jnp.select([both, above, below], [drawn, low + within, high - within], free)
  # The scaling may round past a bound.
  return jnp.clip(drawn, low, high)


def _legal_action(spec: specs.Array, key: jax.Array, legal: jax.Array) -> jax.Array:
  """Actions [*batch, *A], each entry drawn evenly from what is allowed."""
  counts = action_specs.counts(spec).reshape(-1)
  drawn = []
  for i, part in enumerate(jnp.split(legal, np.cumsum(counts)[:-1], axis=-1)):
    allowed = part | ~jnp.any(part, axis=-1, keepdims=True)
    entry_key = jax.random.fold_in(key, i)
    drawn.append(jax.random.categorical(entry_key, jnp.where(allowed, 0.0, -jnp.inf)))
  return jnp.stack(drawn, axis=-1).reshape(*legal.shape[:-1], *spec.shape).astype(spec.dtype)


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
