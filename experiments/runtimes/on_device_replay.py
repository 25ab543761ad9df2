"""Replay in the on_device runtime: arrays in its carry, drawn from inside the compiled program.

An item is the trajectory of one environment with the memory at its start, as in
`experiments.experience`, and replay here does what the embedded one there does. Since all is one
program nobody waits: E environments insert E items an unroll, each of which pays for
`samples_per_insert` draws; these are U = samples_per_insert * E / B calls of `learn`, which follow
at once. The unrolls that bring the first `min_size` items pay for none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents.agent import Agent, Metrics
from agents.trajectory import DataSpec, Trajectory
from envs.environment import Environment
from experiments.experience import priorities as trees
from experiments.experience.layout import item_signature
from experiments.experience.rate_limiter import replay_spec


class Schedule(NamedTuple):
  """What an iteration of the program is made of.

  Attributes:
    environments: E, that act side by side.
    updates: U, calls of `learn` after an unroll.
    warm_up: unrolls at the beginning of a run that no call follows.
  """

  environments: int
  updates: int
  warm_up: int


def schedule(data: DataSpec) -> Schedule:
  """The schedule of an agent's data; without a replay, that of an agent on policy.

  Raises:
    ValueError: if the replay cannot work, or something does not come out whole.
  """
  if data.replay is None:
    return Schedule(data.batch_size, 1, 0)
  replay = replay_spec(data)
  environments = replay.environments or data.batch_size / replay.samples_per_insert
  updates = replay.samples_per_insert * environments / data.batch_size
  if environments != round(environments) or updates != round(updates) or not updates:
    raise ValueError(
      f"batch_size {data.batch_size} and samples_per_insert {replay.samples_per_insert:g} give"
      f" {updates:g} updates after an unroll of {environments:g} environments; on_device both must"
      " be whole numbers: give another replay_environments."
    )
  if replay.capacity % environments:
    raise ValueError(
      f"replay_capacity is {replay.capacity}; on_device it must be a multiple of the"
      f" {environments:g} environments that insert at once: give"
      f" {replay.capacity + -replay.capacity % environments:g}."
    )
  return Schedule(round(environments), round(updates), -(-replay.min_size // round(environments)))


class Replay(NamedTuple):
  """What is held.

  Attributes:
    items: a Trajectory, arrays [capacity, T+1, ...] and memory [capacity, ...]; the n-th item of
      the run lies in slot n mod capacity.
    nodes: of their weights, see `experiments.experience.priorities`.
  """

  items: Trajectory
  nodes: jax.Array


def init(agent: Agent, env: Environment) -> Replay:
  """An empty replay."""
  capacity = replay_spec(agent.data).capacity
  items = jax.tree.map(
    lambda x: jnp.zeros((capacity, *x.shape), x.dtype), item_signature(agent, env)
  )
  return Replay(items, trees.init(capacity))


def insert(replay: Replay, trajectory: Trajectory, inserted: jax.Array) -> Replay:
  """Inserts the E items of an unroll [T+1, E, ...], with priority 1, in place of the oldest.

  `inserted`, int32, are the items inserted before, a multiple of E as the capacity is.
  """
  capacity, environments = replay.items.reward.shape[0], trajectory.reward.shape[1]
  first = inserted % capacity
  # One slice, which never runs over the end: under vmap a scatter would copy all that is held.
  items = jax.tree.map(
    lambda old, new: jax.lax.dynamic_update_slice_in_dim(old, new, first, axis=0),
    replay.items,
    trajectory.swap(),
  )
  slots = first + jnp.arange(environments, dtype=jnp.int32)
  return Replay(items, trees.put(replay.nodes, capacity, slots, jnp.ones(environments)))


def sample(
  replay: Replay, batch_size: int, key: jax.Array, inserted: jax.Array
) -> tuple[Trajectory, jax.Array]:
  """A batch [T+1, B, ...] with its probabilities, and the slots int32 [B] that it lies in."""
  capacity = replay.items.reward.shape[0]
  size = jnp.minimum(inserted, capacity)
  slots, probability = trees.draw(replay.nodes, capacity, batch_size, key, size)
  drawn = jax.tree.map(lambda x: x.at[slots].get(mode="promise_in_bounds"), replay.items)
  return drawn.swap()._replace(probability=probability), slots


def update_priorities(
  replay: Replay, slots: jax.Array, priorities: jax.Array, exponent: float
) -> Replay:
  """Sets the priorities float32 [B] of what lies in slots [B]."""
  weights = jnp.where(priorities == 0, 0, priorities**exponent)
  return replay._replace(nodes=trees.put(replay.nodes, len(replay.items.reward), slots, weights))


def learn(
  agent: Agent, learner: Any, replay: Replay, key: jax.Array, inserted: jax.Array
) -> tuple[Any, jax.Array, Metrics]:
  """U calls of `agent.learn`, each on a batch of its own.

  Returns:
    The learner state, the nodes with the new priorities, and the means of the metrics.
  """
  data, items = agent.data, replay.items
  exponent = replay_spec(data).priority_exponent

  def update(carry: tuple[Any, jax.Array], key: jax.Array) -> tuple[tuple[Any, jax.Array], Metrics]:
    learner, nodes = carry
    draw_key, learn_key = jax.random.split(key)
    held = Replay(items, nodes)
    trajectory, slots = sample(held, data.batch_size, draw_key, inserted)
    learner, metrics, priorities = agent.learn(learner, trajectory, learn_key)
    if exponent and jax.tree.leaves(priorities):
      held = update_priorities(held, slots, priorities, exponent)
    return (learner, held.nodes), metrics

  keys = jax.random.split(key, schedule(data).updates)
  (learner, nodes), history = jax.lax.scan(update, (learner, replay.nodes), keys)
  return learner, nodes, jax.tree.map(jnp.mean, history)
