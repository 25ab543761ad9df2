"""Policies in functional environments, compiled: T steps of a stream, or whole episodes.

Nowhere else does a compiled program step environments by a policy. All are pure functions of keys;
what a caller wants to keep beside the usual it says by a function, of which an unread result costs
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import dm_env
import jax
import jax.numpy as jnp

from agents.agent import Agent
from agents.trajectory import Trajectory
from envs.auto_reset import AutoReset
from envs.capabilities import HasPlaces
from envs.environment import Environment
from experiments.acting.episodes import REFERENCE_DISCOUNT, Episodes
from experiments.acting.policy import ActingPolicy, AgentPolicy


class Acting(NamedTuple):
  """Where B environments stand, and who acts in them: arrays [B, ...]."""

  env_state: Any
  timestep: dm_env.TimeStep
  memory: Any


class Step(NamedTuple):
  """One step of B environments, arrays [B, ...]: from where, what was done, and where it led."""

  before: Acting
  action: jax.Array
  extras: Any
  after: Acting


Fold = Callable[[Any, Step], tuple[Any, Any]]
"""(carry, step) -> (carry, what is kept of the step); see `scan`."""


def start(
  env: Environment, policy: ActingPolicy, batch: int, key: jax.Array, memory: Any = None
) -> Acting:
  """B environments at the beginning of an episode."""
  env_state, timestep = jax.vmap(env.reset)(jax.random.split(key, batch))
  return Acting(env_state, timestep, policy.initial_memory(batch) if memory is None else memory)


def step(
  env: Environment, policy: ActingPolicy, variables: Any, acting: Acting, key: jax.Array
) -> Step:
  """One step of all."""
  inner = env.inner_state(acting.env_state) if isinstance(env, AutoReset) else acting.env_state
  memory = policy.with_state(acting.memory, inner)
  action, extras, memory = policy.act(variables, memory, acting.timestep, key)
  env_state, timestep = jax.vmap(env.step)(acting.env_state, action)
  return Step(acting, action, extras, Acting(env_state, timestep, memory))


def scan(
  env: AutoReset,
  policy: ActingPolicy,
  variables: Any,
  acting: Acting,
  keys: jax.Array,
  fold: Fold,
  carry: Any = (),
) -> tuple[Acting, Any, Any]:
  """Acts for as many steps as there are keys [T].

  Returns:
    Where that led, the last carry, and what `fold` kept, [T, ...].
  """

  def body(state: tuple[Acting, Any], key: jax.Array) -> tuple[tuple[Acting, Any], Any]:
    acting, carry = state
    taken = step(env, policy, variables, acting, key)
    carry, kept = fold(carry, taken)
    return (taken.after, carry), kept

  (acting, carry), kept = jax.lax.scan(body, (acting, carry), keys)
  return acting, carry, kept


def unroll(
  env: AutoReset,
  policy: ActingPolicy,
  variables: Any,
  acting: Acting,
  keys: jax.Array,
  fold: Fold,
  carry: Any = (),
  with_states: bool = False,
) -> tuple[Acting, Trajectory, Any, Any]:
  """`scan` with a trajectory [T+1, B] of the steps; with the episodes' states where that is asked.

  Returns:
    Where that led, the trajectory, the last carry, and what `fold` kept, [T, ...].
  """

  def keep(carry: Any, taken: Step) -> tuple[Any, tuple]:
    carry, kept = fold(carry, taken)
    entry = (taken.before.timestep, hidden(taken.before), taken.action, taken.extras)
    return carry, (entry, kept)

  def hidden(acting: Acting) -> tuple[Any, Any]:
    return oracle(env, acting), env.inner_state(acting.env_state) if with_states else ()

  memory = policy.stored(acting.memory)
  acting, carry, (entries, kept) = scan(env, policy, variables, acting, keys, keep, carry)
  timesteps, unseen, action, extras = entries

  # The step that follows the last completes the trajectory; what is done there is not in it.
  def complete(sequence: Any, last: Any) -> Any:
    return jax.tree.map(lambda s, x: jnp.concatenate([s, x[None]]), sequence, last)

  timesteps = complete(timesteps, acting.timestep)
  action = jnp.concatenate([action, jnp.zeros_like(action[:1])])
  extras = jax.tree.map(lambda e: jnp.concatenate([e, jnp.zeros_like(e[:1])]), extras)
  oracles, states = complete(unseen, hidden(acting))
  trajectory = Trajectory(
    observation=timesteps.observation,
    action=action,
    reward=timesteps.reward,
    discount=timesteps.discount,
    step_type=timesteps.step_type,
    extras=extras,
    memory=memory,
    oracle=oracles,
    state=states,
  )
  return acting, trajectory, carry, kept


def oracle(env: Environment, acting: Acting) -> Any:
  """`envs.capabilities.Oracle` [B] of where the environments are; () of one without places."""
  return jax.vmap(env.oracle)(acting.env_state) if isinstance(env, HasPlaces) else ()


class Recorder(NamedTuple):
  """What is kept of whole episodes.

  Attributes:
    arrivals: of each place that is come to, the FIRST among them: Acting -> arrays.
    steps: of each step: Step -> arrays.
  """

  arrivals: Callable[[Acting], Any] = lambda acting: ()
  steps: Callable[[Step], Any] = lambda step: ()


class Recording(NamedTuple):
  """What was kept; entries after the end of an episode mean nothing.

  Attributes:
    arrivals: [T+1, ...], at index t after t steps.
    steps: [T, ...].
  """

  arrivals: Any
  steps: Any


def first(env: Environment, batch: int, key: jax.Array) -> tuple[Any, dm_env.TimeStep]:
  """The states and FIRST steps [B, ...] with which `episodes` of this key begin."""
  reset_key, _ = jax.random.split(key)
  return jax.vmap(env.reset)(jax.random.split(reset_key, batch))


def episodes(
  env: Environment,
  policy: ActingPolicy,
  variables: Any,
  batch: int,
  key: jax.Array,
  recorder: Recorder = Recorder(),  # noqa: B008  immutable
  limit: int | None = None,
) -> tuple[Episodes, Recording]:
  """Plays one whole episode in each of B environments.

  One an environment, since counting the first N that end among parallel streams would favour the
  short ones.

  Args:
    env: without auto-reset.
    policy: who plays.
    variables: what it plays with.
    batch: B.
    key: of episodes and actions.
    recorder: what is kept beside the scores.
    limit: T, of an episode's steps, after which it is cut off; by default the environment's own.
  """
  limit = env.max_episode_steps if limit is None else limit
  _, act_key = jax.random.split(key)
  acting = Acting(*first(env, batch, key), policy.initial_memory(batch))
  zeros = jnp.zeros((batch,), jnp.float32)
  scores = Episodes(jnp.zeros((batch,), bool), zeros, zeros, jnp.zeros((batch,), jnp.int32))

  def take(acting: Acting, t: jax.Array) -> Step:
    return step(env, policy, variables, acting, jax.random.fold_in(act_key, t))

  def unfinished(carry: tuple) -> jax.Array:
    _, _, _, running, t = carry
    return jnp.any(running) & (t < limit)

  def body(carry: tuple) -> tuple:
    acting, recording, scores, running, t = carry
    taken = take(acting, t)
    timestep = taken.after.timestep
    reward = jnp.where(running, timestep.reward, 0.0)
    scores = scores._replace(
      episode_return=scores.episode_return + reward,
      discounted_return=scores.discounted_return
      + REFERENCE_DISCOUNT ** t.astype(jnp.float32) * reward,
      length=scores.length + running,
    )
    recording = Recording(
      _put(recording.arrivals, t + 1, recorder.arrivals(taken.after)),
      _put(recording.steps, t, recorder.steps(taken)),
    )
    return taken.after, recording, scores, running & ~timestep.last(), t + 1

  arrival = recorder.arrivals(acting)
  shapes = jax.eval_shape(lambda: recorder.steps(take(acting, jnp.int32(0))))
  recording = Recording(
    jax.tree.map(lambda x: jnp.broadcast_to(x[None], (limit + 1, *x.shape)), arrival),
    jax.tree.map(lambda x: jnp.zeros((limit, *x.shape), x.dtype), shapes),
  )
  carry = (acting, recording, scores, jnp.ones((batch,), bool), jnp.int32(0))
  _, recording, scores, _, _ = jax.lax.while_loop(unfinished, body, carry)
  known = math.isfinite(env.success_return)
  success = scores.episode_return >= env.success_return if known else None
  return scores._replace(success=success), recording


def _put(room: Any, index: jax.Array, value: Any) -> Any:
  return jax.tree.map(lambda x, v: x.at[index].set(v), room, value)


def split_player(
  env: Environment, agent: Agent, batch: int, explore: bool = True
) -> Callable[[Any, jax.Array], dict[str, Episodes]]:
  """Returns a jitted (variables [S], keys [S]) -> Episodes [S, E] of every split of `env`.

  `explore` samples actions from the policy; otherwise its mode is played.
  """
  policy, splits = AgentPolicy(agent, explore), env.splits()

  def play(variables: Any, key: jax.Array) -> dict[str, Episodes]:
    variables = agent.on_task(variables)
    # Every split sees the same key: what differs between splits is then the split alone.
    return {
      name: episodes(split, policy, variables, batch, key)[0] for name, split in splits.items()
    }

  return jax.jit(jax.vmap(play))
