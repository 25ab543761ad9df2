"""Acting: from a time step to an action, one environment a row."""

from __future__ import annotations

from typing import Any

import jax

from agents import observation_normaliser
from agents.latent.forward import read_heads
from agents.latent.parts import Parts
from agents.latent.state import Memory, Variables
from envs.observation import visible


def initial_memory(parts: Parts, batch: int) -> Memory:
  """What each of `batch` environments carries before its first step."""
  core = parts.model.initial_state(batch)
  own = () if parts.config.share_encoder else parts.model.initial_state(batch)
  return Memory(core, own, parts.policy.no_action(batch), parts.bonus.initial_memory(batch))


def act(
  parts: Parts, variables: Variables, memory: Memory, timestep: Any, key: jax.Array, explore: bool
) -> tuple[jax.Array, Any, Memory]:
  """See `agents.agent.Agent.act`; extras are the policy's parameters and its sample."""
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
  sample = parts.policy.sample(key, p) if explore else parts.policy.mode(p)
  action = parts.policy.action(sample)
  return action, {"policy": p, "sample": sample}, Memory(core, own, action, episodic)
