"""Planning: the world model, and the heads that read it, as a planner asks for them."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents.auxiliaries import Outcomes
from agents.cores import core as cores
from agents.latent.parts import Parts
from agents.latent.state import Variables
from agents.planners import Model


def plan(
  parts: Parts,
  variables: Variables,
  start: Any,
  p: jax.Array,
  legal: jax.Array | None,
  memory: Any,
  first: jax.Array,
  key: jax.Array,
) -> tuple[jax.Array, dict[str, jax.Array], Any]:
  """The planned policy's parameters [B, P], what is kept for learning, and the planner's memory.

  Args:
    parts: of the agent, whose planner plans.
    variables: what it acts with.
    start: where the world model's open loop starts, arrays [B, ...].
    p: parameters of the policy, [B, P], masked.
    legal: bool [B, P], or None.
    memory: the planner's.
    first: bool [B], where it starts anew.
    key: random.
  """
  planner = parts.planner
  assert planner.plan is not None
  memory = cores.reset(planner.init(len(first)), memory, first)
  return planner.plan(model(parts, variables), start, p, legal, memory, key)


def model(parts: Parts, variables: Variables) -> Model:
  """The latent world model with these variables; its states are those of the open loop."""

  def bound(function: Any) -> Any:
    return functools.partial(function, parts, variables)

  return Model(bound(step), bound(read), bound(reward), bound(discount))


def step(parts: Parts, variables: Variables, state: Any, action: jax.Array) -> Any:
  """See `agents.planners.planner.Model.step`."""
  return parts.model.imagine_step(variables.params.world_model, state, action)


def read(parts: Parts, variables: Variables, state: Any) -> tuple[jax.Array, jax.Array]:
  """See `agents.planners.planner.Model.read`."""
  params, objective = variables.params, parts.objective
  out = objective.heads.apply(params.heads, parts.model.belief(state))
  p = objective.parameters(params.duals, out)
  if objective.expected_return is None:
    return p, jnp.zeros(p.shape[:1])
  return p, objective.expected_return(params.duals, out)


def reward(parts: Parts, variables: Variables, state: Any) -> jax.Array:
  """See `agents.planners.planner.Model.reward`."""
  return outcomes(parts, variables, state).reward


def discount(parts: Parts, variables: Variables, state: Any) -> jax.Array:
  """See `agents.planners.planner.Model.discount`."""
  return variables.discount * outcomes(parts, variables, state).discount


def outcomes(parts: Parts, variables: Variables, state: Any) -> Outcomes:
  """What the auxiliary loss that predicts them says of states.

  Raises:
    ValueError: one line, if the agent has none.
  """
  for name, (method, _) in parts.auxiliaries.items():
    if method.outcomes is not None:
      return method.outcomes(variables.params.auxiliaries[name], parts.model.belief(state))
  raise ValueError(
    f"planner {parts.config.planner.name!r} asks for rewards or discounts, which no auxiliary loss"
    " predicts: its builder must say needs=('outcomes',)."
  )
