"""An agent that pursues its own goals, around one of the latent world model.

While acting it heads for a goal, walks at random from where it got, and takes the next goal
(choose.py). While learning it gives each trajectory a goal in hindsight, lets reachability say what
its steps pay, and hands it to the agent inside (update.py). Beside that agent, the reachability
network learns from the latest random walks, on the latents of the target encoder. Every few updates
what is new of what was visited joins the goal memory, and the walks draw the graph over it
(discover.py). Rewards of the environment are not read.

Sources: Mezghani et al. 2022, Walk the Random Walk (arXiv 2206.11733); Mezghani et al. 2023,
GO-FRESH (arXiv 2301.02099). See agents/reach.py and agents/her.py.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import NOTHING_GIVEN, Agent, Given, HasSpecs, Metrics, Probe
from agents.goals import choose, discover, update
from agents.goals import parts as goal_parts
from agents.goals.config import GoalAgentConfig
from agents.goals.parts import Parts
from agents.goals.state import LearnerState
from agents.latent import adopt as latent_adopt
from agents.latent import agent as latent_agent
from agents.latent import forward
from agents.latent import probe as latent_probe
from agents.reachability import goal_memory, graph, walks
from agents.trajectory import Trajectory


def build(config: GoalAgentConfig, env: HasSpecs, given: Given = NOTHING_GIVEN) -> Agent:
  """Puts the agent together for an environment with goals.

  Raises:
    ValueError: as `agents.goals.parts.build` does.
  """
  parts = goal_parts.build(config, env, given)

  def bound(function: Any) -> Any:
    return functools.partial(function, parts)

  maps = config.goals.discovers
  return Agent(
    init=bound(init),
    initial_memory=bound(choose.initial_memory),
    act=bound(choose.act),
    stored=choose.stored,
    learn=bound(update.learn),
    variables=bound(choose.variables),
    data=parts.inner.data,
    encode=bound(encode),
    turn=bound(turn),
    turns=latent_agent.turns(parts.inner),
    adopt=bound(adopt),
    on_task=choose.on_task,
    probe=Probe(
      diagnose=bound(diagnose),
      intrinsic=bound(intrinsic),
      goal_map=bound(discover.goal_map) if maps else None,
    ),
  )


def init(parts: Parts, key: jax.Array) -> LearnerState:
  """The learner state before anything was learned."""
  capacity, view = parts.goals.goal_capacity, parts.view
  inner_key, reach_key = jax.random.split(key)
  reach = parts.network.init(reach_key)
  return LearnerState(
    latent_agent.init(parts.inner, inner_key),
    reach,
    parts.optimiser.init(reach),
    goal_memory.init(capacity, view, parts.config.reachability.reach_features),
    graph.init(capacity),
    jnp.zeros((capacity, *view.shape), view.dtype),
    jnp.zeros((capacity,), jnp.float32),
    walks.init(parts.walks_kept, parts.config.unroll_length, view),
    jnp.int32(0),
  )


def encode(parts: Parts, state: LearnerState, observation: jax.Array) -> jax.Array:
  """See `agents.agent.Agent.encode`."""
  return forward.encode(parts.inner, state.inner, observation)


def diagnose(parts: Parts, state: LearnerState, trajectory: Trajectory) -> Metrics:
  """See `agents.agent.Probe.diagnose`."""
  return latent_probe.diagnose(parts.inner, state.inner, trajectory)


def intrinsic(
  parts: Parts, state: LearnerState, trajectory: Trajectory, key: jax.Array
) -> jax.Array:
  """See `agents.agent.Probe.intrinsic`; of the bonus of the agent inside."""
  of_inner = trajectory._replace(memory=trajectory.memory.inner)
  return latent_probe.intrinsic(parts.inner, state.inner, of_inner, key)


def adopt(parts: Parts, state: LearnerState, donor: Any, heads: bool) -> LearnerState:
  """See `agents.agent.Agent.adopt`; the networks are those of the agent inside."""
  inner = donor.inner if isinstance(donor, LearnerState) else donor
  return state._replace(inner=latent_adopt.adopt(parts.inner, state.inner, inner, heads))


def turn(parts: Parts, state: LearnerState, numbers: dict[str, jax.Array]) -> LearnerState:
  """See `agents.agent.Agent.turn`; the numbers are those of the agent inside."""
  return state._replace(inner=latent_agent.turn(parts.inner, state.inner, numbers))
