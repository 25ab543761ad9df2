"""Acting: from a time step to an action, one environment a row."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from agents import observation_normaliser
from agents.latent import planning, true_model
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


def with_state(memory: Memory, env_state: Any) -> Memory:
  """See `agents.agent.Agent.with_state`."""
  return memory._replace(env=env_state)


def act(
  parts: Parts, variables: Variables, memory: Memory, timestep: Any, key: jax.Array, explore: bool
) -> tuple[jax.Array, Any, Memory]:
  """See `agents.agent.Agent.act`; extras are the parameters of the policy that acts, as the planner
  made them, its sample, what the planner leaves for learning, and the bonus's condition."""
  model, objective, params = parts.model, parts.objective, variables.params
  observation = observation_normaliser.normalise(
    variables.observation_moments, timestep.observation
  )
  first = timestep.first()

  def step(model_params: Any, core: Any) -> tuple[Any, Any]:
    latent = model.encode(model_params, observation)
    return model.step(model_params, latent, memory.action, first, core)

  start, core = step(params.world_model, memory.core)
  read, own = start, ()
  if not parts.config.share_encoder:
    read, own = step(params.policy_model, memory.policy_core)
  episodic = parts.bonus.remember(
    params.bonus, variables.statistics, memory.bonus, visible(observation), first
  )
  belief = model.belief(read)
  extras: dict[str, Any] = {}
  if parts.bonus.condition is not None:
    # A key of its own, so that what is sampled does not depend on there being a condition.
    own_key = jax.random.fold_in(key, 1)
    extras["condition"], episodic = parts.bonus.condition.draw(episodic, first, own_key)
    belief = jnp.concatenate([belief, extras["condition"]], axis=-1)
  out = read_heads(parts, params.heads, belief, observation)
  p = objective.parameters(params.duals, out)
  plans = memory.planner
  if parts.planner.plan is not None:
    key, plan_key = jax.random.split(key)
    own_model, state = planning.model(parts, variables), start
    if parts.planner.true_model:
      if isinstance(memory.env, tuple) and not memory.env:
        raise ValueError(
          f"planner {parts.config.planner.name!r}: model true needs the environment's state, which"
          " agents without goals of their own are given on_device; take --planner.model learned."
        )
      own_model = true_model.build(parts, variables, memory.env)
      state = true_model.State(
        true_model.plain(memory.env), timestep._replace(observation=observation), start, core
      )
    p, plan, plans = planning.plan(
      parts, own_model, state, p, legal(observation), plans, first, plan_key, explore
    )
    extras |= {"plan": plan} if plan else {}
  if explore and objective.explore is not None:
    p = objective.explore(p, parts.share(variables.updates) if parts.length else jnp.float32(1.0))
  sample = parts.policy.sample(key, p) if explore else parts.policy.mode(p)
  action = parts.policy.action(sample)
  extras |= {"policy": p, "sample": sample}
  return action, extras, Memory(core, own, action, episodic, plans)
