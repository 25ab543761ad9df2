"""Learning: a goal in hindsight for each trajectory, then the agent inside, then discovery."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from agents.agent import Learned, Metrics
from agents.goals import discover
from agents.goals.choose import choose, variables
from agents.goals.parts import Parts, encoder, features, latents, with_goal
from agents.goals.state import LearnerState
from agents.latent import update as latent_update
from agents.reachability.reward import shaped
from agents.trajectory import Trajectory
from agents.when import when
from envs.observation import GOAL, VIEW


def reward(
  parts: Parts, state: LearnerState, marks: jax.Array, arrived: jax.Array, goal: jax.Array
) -> jax.Array:
  """What the steps that led to views [T, B, *O], whose latents are `marks`, pay; float32 [T, B]."""
  goals, net = parts.goals, parts.network
  if goals.goals_pay == "sparse":
    return parts.reached(arrived, jnp.broadcast_to(goal, arrived.shape)).astype(jnp.float32)
  here = net.features(state.reach, marks)
  target = features(parts, encoder(state), state.reach, goal)
  ways = net.logits(state.reach, here, target)
  left: jax.Array | float = 0.0
  if goals.goals_pay == "graph":
    nearest = functools.partial(discover.nearest, parts, state)
    left = state.graph.distance[nearest(here, "out_of"), nearest(target, "into")]
  return shaped(ways, left, 1.0, goals.goal_reward_scale, goals.goal_reachability_weight)


def relabel(
  parts: Parts, state: LearnerState, marks: jax.Array, trajectory: Trajectory, key: jax.Array
) -> tuple[Trajectory, Metrics]:
  """The trajectory with one goal for each column, and its rewards.

  Args:
    parts: of the agent.
    state: its learner state.
    marks: latents of what was seen, [T+1, B, N / 2].
    trajectory: [T+1, B].
    key: random, for the goals.
  """
  share_key, time_key, new_key = jax.random.split(key, 3)
  views = trajectory.observation[VIEW]
  length, batch = trajectory.reward.shape
  later = views[jax.random.randint(time_key, (batch,), 1, length), jnp.arange(batch)]
  source = variables(parts, state)
  new = choose(source.goals, source.shares, new_key, trajectory.observation[GOAL][0])
  hindsight = jax.random.uniform(share_key, (batch,)) < parts.goals.hindsight_share
  goal = jnp.where(hindsight.reshape(-1, *[1] * (new.ndim - 1)), later, new)

  discount = trajectory.discount
  rewards = reward(parts, state, marks[1:], views[1:], goal)
  if parts.goals.goals_pay == "sparse":
    discount = discount.at[1:].multiply(1.0 - rewards)
  relabelled = trajectory._replace(
    observation=with_goal(views, goal),
    reward=jnp.concatenate([jnp.zeros((1, batch)), rewards]),
    discount=discount,
    memory=trajectory.memory.inner,
  )
  return relabelled, {"goal_reward": jnp.mean(rewards)}


def learn(parts: Parts, state: LearnerState, trajectory: Trajectory, key: jax.Array) -> Learned:
  """See `agents.agent.Agent.learn`."""
  goals = parts.goals
  relabel_key, inner_key, reach_key, visit_key, refresh_key = jax.random.split(key, 5)
  if goals.discovers:
    state = state._replace(memory=discover.described(parts, state))
  marks = latents(parts, encoder(state), trajectory.observation[VIEW])
  relabelled, metrics = relabel(parts, state, marks, trajectory, relabel_key)
  learned = latent_update.learn(parts.inner, state.inner, relabelled, inner_key)
  state, metrics = state._replace(inner=learned.state), learned.metrics | metrics
  if goals.discovers:
    state, of_network = discover.learn_reachability(parts, state, trajectory, reach_key)
    state = discover.visit(parts, state, trajectory, visit_key)
    due = (state.updates + 1) % goals.goal_refresh_updates == 0
    refreshed = functools.partial(discover.refresh, parts, key=refresh_key)
    state = when(due, refreshed, state)
    metrics |= of_network | {
      "goal_memory": state.memory.size.astype(jnp.float32),
      "goal_linked": state.graph.linked,
    }
  state = state._replace(updates=state.updates + 1)
  return Learned(state, metrics, learned.priorities)
