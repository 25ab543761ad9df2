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
from agents.objectives.objective import View
from agents.planners import Model
from agents.trajectory import Trajectory
from envs.observation import legal


def plan(
  parts: Parts,
  model: Model,
  state: Any,
  p: jax.Array,
  legal: jax.Array | None,
  memory: Any,
  first: jax.Array,
  key: jax.Array,
  explore: bool,
) -> tuple[jax.Array, dict[str, jax.Array], Any]:
  """The planned policy's parameters [B, P], what is kept for learning, and the planner's memory.

  Args:
    parts: of the agent, whose planner plans.
    model: that it plans with.
    state: the model's, of where it stands, arrays [B, ...].
    p: parameters of the policy, [B, P], masked.
    legal: bool [B, P], or None.
    memory: the planner's.
    first: bool [B], where it starts anew.
    key: random.
    explore: whether it plans from what `Planner.explore` makes of p.
  """
  planner = parts.planner
  assert planner.plan is not None
  if explore and planner.explore is not None:
    key, noise_key = jax.random.split(key)
    p = planner.explore(p, noise_key)
  memory = cores.reset(planner.init(len(first)), memory, first)
  return planner.plan(model, state, p, legal, memory, key)


def reanalyse(
  parts: Parts,
  variables: Variables,
  starts: Any,
  view: View,
  trajectory: Trajectory,
  key: jax.Array,
) -> Trajectory:
  """The trajectory whose `extras["plan"]["target"]` is planned anew, of the first columns: of as
  large a share as the objective asks for.

  Args:
    parts: of the agent, whose planner plans.
    variables: what it plans with.
    starts: where the open loop starts, arrays [T+1, B, ...].
    view: what the policy's parameters are read from, [T+1, B].
    trajectory: [T+1, B].
    key: random.
  """
  planner, (steps, batch) = parts.planner, trajectory.reward.shape
  count = round(parts.objective.reanalyses * batch)
  if not count or planner.plan is None:
    return trajectory
  key, noise_key = jax.random.split(key)

  def rows(x: jax.Array) -> jax.Array:
    return jax.lax.stop_gradient(x[:, :count].reshape(-1, *x.shape[2:]))

  p = rows(parts.objective.parameters(variables.params.duals, view.out))
  allowed = legal(trajectory.observation)
  planned, extras, _ = planner.plan(
    model(parts, variables),
    jax.tree.map(rows, starts),
    p if planner.explore is None else planner.explore(p, noise_key),
    None if allowed is None else rows(allowed),
    planner.init(steps * count),
    key,
  )
  target = extras.get("target", planned).reshape(steps, count, -1)
  kept = trajectory.extras.get("plan", {})
  before = kept.get("target", trajectory.extras["policy"])
  plan = {**kept, "target": jnp.concatenate([target, before[:, count:]], axis=1)}
  return trajectory._replace(extras=trajectory.extras | {"plan": plan})


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
  extrinsic = outcomes(parts, variables, state).reward
  if not parts.planner.reads_bonus:
    return extrinsic
  expected = parts.objective.expected_bonus
  assert expected is not None
  out = parts.objective.heads.apply(variables.params.heads, parts.model.belief(state))
  return extrinsic + expected(out)


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
