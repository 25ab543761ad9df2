"""Choosing goals, and acting: towards a goal, then at random from where that led."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from agents.goals.parts import Parts, encoder, features, with_goal
from agents.goals.state import LearnerState, Memory, Variables
from agents.latent import acting
from agents.latent import state as latent_state
from agents.reachability import graph
from envs.observation import GOAL, VIEW
from envs.random_action import random_action


def shares(parts: Parts, state: LearnerState) -> jax.Array:
  """How often each place of the memory, or of what was visited, is to be chosen, [M]."""
  goals = parts.goals
  if goals.goals_from == "memory":
    held = jnp.arange(goals.goal_capacity) < state.memory.size
    return held * (1.0 + graph.visits(state.graph)) ** -goals.goal_rarity
  filled = state.density > 0.0
  if goals.goals_from == "rare":
    return jnp.where(filled, 1.0 / jnp.maximum(state.density, 1e-6), 0.0)
  return filled.astype(jnp.float32) * (goals.goals_from == "visited")


def variables(parts: Parts, state: LearnerState) -> Variables:
  """What acting needs."""
  goals = parts.goals
  return Variables(
    latent_state.variables(state.inner),
    encoder(state),
    state.reach,
    state.memory.views if goals.goals_from == "memory" else state.visited,
    shares(parts, state),
    jnp.bool_(goals.walk_steps > 0),
    state.updates < goals.walk_only_updates,
  )


def on_task(variables: Variables) -> Variables:
  """The same, for the environment's own goals and without random walks."""
  no = jnp.zeros_like(variables.wanders)
  return variables._replace(shares=jnp.zeros_like(variables.shares), wanders=no, walks_only=no)


def choose(views: jax.Array, shares: jax.Array, key: jax.Array, given: jax.Array) -> jax.Array:
  """Goals [N, *O] of views [M, *O] by their shares [M]; `given` [N, *O] where there are none."""
  # Places without a share have a finite, hopeless logit, as all may be without.
  chosen = jax.random.categorical(key, jnp.log(jnp.maximum(shares, 1e-30)), shape=given.shape[:1])
  return jnp.where(jnp.any(shares > 0.0), views[chosen], given)


def initial_memory(parts: Parts, batch: int) -> Memory:
  """What each of `batch` environments carries before its first step."""
  return Memory(
    acting.initial_memory(parts.inner, batch),
    jnp.zeros((batch, *parts.view.shape), parts.view.dtype),
    jnp.zeros((batch,), bool),
    jnp.zeros((batch,), jnp.int32),
  )


def stored(memory: Memory) -> Memory:
  """See `agents.agent.Agent.stored`."""
  return memory._replace(inner=acting.stored(memory.inner))


def next_goal(
  parts: Parts, variables: Variables, memory: Memory, timestep: Any, key: jax.Array
) -> Memory:
  """The memory with the goal of this step, whether it is walked at random, and the clock."""
  goals, net = parts.goals, parts.network
  views, given = timestep.observation[VIEW], timestep.observation[GOAL]
  walked = memory.walks & (memory.clock >= goals.walk_steps)
  fresh = timestep.first() | walked
  drawn = choose(variables.goals, variables.shares, key, given)
  goal = jnp.where(_like(fresh, drawn), drawn, memory.goal)
  clock = jnp.where(fresh, 0, memory.clock)
  walking = memory.walks & ~fresh
  ends = ~walking & variables.wanders
  if goals.walk_steps:
    here, there = (features(parts, variables.encoder, variables.reach, x) for x in (views, goal))
    near = net.logits(variables.reach, here, there) > jnp.maximum(
      net.logits(variables.reach, there, there) - goals.goal_slack, 0.0
    )
    ends &= near | (clock >= goals.goal_patience)
  clock = jnp.where(ends, 0, clock) + 1
  return Memory(memory.inner, goal, walking | ends | variables.walks_only, clock)


def act(
  parts: Parts, variables: Variables, memory: Memory, timestep: Any, key: jax.Array, explore: bool
) -> tuple[jax.Array, Any, Memory]:
  """See `agents.agent.Agent.act`; extras tell beside the policy's where walks were on."""
  goal_key, walk_key, act_key = jax.random.split(key, 3)
  memory = next_goal(parts, variables, memory, timestep, goal_key)
  observation = with_goal(timestep.observation[VIEW], memory.goal)
  towards = timestep._replace(observation=observation)
  action, extras, inner = acting.act(
    parts.inner, variables.inner, memory.inner, towards, act_key, explore
  )
  at_random = random_action(parts.actions, walk_key, (len(memory.walks),))
  action = jnp.where(_like(memory.walks, action), at_random, action)
  extras = {**extras, "walks": memory.walks}
  return action, extras, memory._replace(inner=inner._replace(action=action))


def _like(mask: jax.Array, x: jax.Array) -> jax.Array:
  """A mask [B] with as many axes as x [B, ...]."""
  return mask.reshape(-1, *[1] * (x.ndim - 1))
