"""Acting: from a time step to an action, one environment a row."""

from __future__ import annotations

from typing import Any

import jax

from agents import observation_normaliser
from agents.latent import planning
from agents.latent.forward import read_heads
from agents.latent.parts import Parts
from agents.latent.state import Memory, Variables
from envs.observation import legal, visible


def initial_memory(parts: Parts, batch: int) -> Memory:
  """What each of `batch` environments carries before its first step."""
  core = parts.model.initial_state(batch)
  own = () if parts.config.share_encoder else parts.model.initial_state(batch)
  return Memory(
    core,
    own,
    parts.policy.no_action(batch),
    parts.bonus.initial_memory(batch),
    parts.planner.init(batch),
  )


def stored(memory: Memory) -> Memory:
  """See `agents.agent.Agent.stored`."""
  return memory._replace(planner=())


def act(
  parts: Parts, variables: Variables, memory: Memory, timestep: Any, key: jax.Array, explore: bool
) -> tuple[jax.Array, Any, Memory]:
  """See `agents.agent.Agent.act`; extras are the parameters of the policy that acts, as the planner
  made them, its sample, and what the planner leaves for learning."""
  model, objective, params = parts.model, parts.objective, variables.params
  observation = observation_normaliser.normalise(
    variables.observation_moments, timestep.observation
  )
  first = timestep.first()

  def step(model_params: Any, core: Any) -> Any:
    latent = model.encode(model_params, observation)
    return model.step(model_params, latent, memory.action, first, core)

  core, own = step(params.world_model, memory.core), ()
  if not parts.config.share_encoder:
    own = step(params.policy_model, memory.policy_core)
  episodic = parts.bonus.remember(
    params.bonus, variables.statistics, memory.bonus, visible(observation), first
  )
  belief = model.belief(core if parts.config.share_encoder else own)
  out = read_heads(parts, params.heads, belief, observation)
  p = objective.parameters(params.duals, out)
  extras: dict[str, Any] = {}
  plans = memory.planner
  if parts.planner.plan is not None:
    key, plan_key = jax.random.split(key)
    p, plan, plans = planning.plan(
      parts, variables, core, p, legal(observation), plans, first, plan_key
    )
    extras = {"plan": plan} if plan else {}
  sample = parts.policy.sample(key, p) if explore else parts.policy.mode(p)
  action = parts.policy.action(sample)
  extras |= {"policy": p, "sample": sample}
  return action, extras, Memory(core, own, action, episodic, plans)
