"""What an agent finds out beside the agent inside: reachability, a goal memory, and its graph."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax

from agents.agent import GoalMap, Metrics
from agents.goals.parts import Parts, encoder, features, latents
from agents.goals.state import LearnerState
from agents.reachability import goal_memory, graph, network, pairs, walks
from agents.reachability.goal_memory import DIRECTIONS, Direction, GoalMemory
from agents.trajectory import Trajectory
from envs.observation import VIEW


def nearest(parts: Parts, state: LearnerState, marks: jax.Array, direction: Direction) -> jax.Array:
  """The entry nearest to features [..., F], int32 [...]; see `goal_memory.nearest`."""
  logits = functools.partial(parts.network.logits, state.reach)
  rows = marks.reshape(-1, marks.shape[-1])
  entries = goal_memory.nearest(state.memory, rows, logits, direction, block=min(len(rows), 512))
  return entries.reshape(marks.shape[:-1])


def described(parts: Parts, state: LearnerState) -> GoalMemory:
  """The memory with features of the network as it is now: to a newer one, all that an older one
  described is new."""
  marks = features(parts, encoder(state), state.reach, state.memory.views)
  return state.memory._replace(features=marks)


def learn_reachability(
  parts: Parts, state: LearnerState, trajectory: Trajectory, key: jax.Array
) -> tuple[LearnerState, Metrics]:
  """One step of the network on pairs of random walks, the batch's and those before."""
  net, settings = parts.network, parts.config.reachability
  kept = walks.keep(
    state.walks, trajectory.observation[VIEW], trajectory.extras["walks"], trajectory.first
  )
  drawn = pairs.draw(key, pairs.table(kept.segments), parts.goals.walk_pairs, settings)
  views = kept.views[tuple(jnp.stack([drawn.source, drawn.target], axis=1))]
  source, target = latents(parts, encoder(state), views)
  # A logit compares how often a place follows with how often it is a negative. If that were how
  # often it was visited, whatever is new would seem to be near.
  place = nearest(parts, state, net.features(state.reach, target), "out_of")
  weight = pairs.evened(
    place, drawn.label, drawn.weight, parts.goals.goal_capacity, settings.reach_negative_share
  )

  def loss(reach: Any) -> tuple[jax.Array, Metrics]:
    logits = net.logits(reach, net.features(reach, source), net.features(reach, target))
    return network.loss(logits, drawn.label, weight)

  gradient, metrics = jax.grad(loss, has_aux=True)(state.reach)
  step, optimiser_state = parts.optimiser.update(gradient, state.optimiser, state.reach)
  reach = optax.apply_updates(state.reach, step)
  return state._replace(reach=reach, optimiser=optimiser_state, walks=kept), metrics


def visit(
  parts: Parts, state: LearnerState, trajectory: Trajectory, key: jax.Array
) -> LearnerState:
  """What was visited, after some of the batch's states."""
  count, capacity = parts.goals.goal_candidates, parts.goals.goal_capacity
  flat = trajectory.observation[VIEW].reshape(-1, *parts.view.shape)
  picked = jax.random.choice(key, len(flat), (count,), replace=False)
  place = (state.updates * count + jnp.arange(count)) % capacity
  return state._replace(
    visited=state.visited.at[place].set(flat[picked]), density=state.density.at[place].set(1.0)
  )


def refresh(parts: Parts, state: LearnerState, key: jax.Array) -> LearnerState:
  """Memory, graph and densities, all by the network as it is now.

  States join, and edges are counted, nowhere but here, so that all that is held has distances.
  """
  net, capacity, threshold = parts.network, parts.goals.goal_capacity, parts.goals.goal_threshold
  logits = functools.partial(net.logits, state.reach)
  mark = functools.partial(features, parts, encoder(state), state.reach)
  # Places in place of views, so that what is kept tells where it was.
  old = described(parts, state)
  numbered = old._replace(views=jnp.arange(capacity))
  kept = goal_memory.refresh(numbered, lambda _: old.features, logits, threshold)
  known = graph.reorder(state.graph, kept.views, kept.size)
  kept = kept._replace(views=old.views[kept.views])
  visited, filled = mark(state.visited), state.density > 0.0
  memory = goal_memory.insert(kept, state.visited, visited, logits, threshold, key, filled)
  known = graph.forget(known, jnp.any(memory.features != kept.features, axis=1))
  state = state._replace(memory=memory)

  segments = state.walks.segments.T
  marks = jnp.moveaxis(jax.lax.map(mark, state.walks.views, batch_size=64), 1, 0)
  walked = segments != pairs.PADDING
  into, out_of = (jnp.where(walked, nearest(parts, state, marks, way), -1) for way in DIRECTIONS)
  known = graph.add(known, into, out_of, segments[1:] == segments[:-1])
  # A state is as common as there are others that reach it.
  near = jax.nn.sigmoid(net.all_logits(state.reach, visited, visited)) * filled[:, None]
  return state._replace(
    graph=graph.measure(known, memory.size),
    density=jnp.where(filled, jnp.maximum(jnp.mean(near, axis=0), 1e-6), 0.0),
  )


def goal_map(parts: Parts, state: LearnerState) -> GoalMap:
  """See `agents.agent.Probe.goal_map`."""
  shape = parts.view.shape
  capacity = parts.goals.goal_capacity
  return GoalMap(
    state.memory.views,
    jnp.arange(capacity) < state.memory.size,
    (state.graph.weights >= graph.LEAST) & ~jnp.eye(capacity, dtype=bool),
    state.walks.views.reshape(-1, *shape),
    (state.walks.segments != pairs.PADDING).reshape(-1),
  )
