"""What the networks make of a trajectory."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents import observation_normaliser
from agents.latent.parts import Parts
from agents.latent.state import LearnerState, Params
from agents.objectives.objective import View
from agents.trajectory import Trajectory
from agents.world_model.forecasts import Outputs, forecast
from envs.observation import legal


class Forward(NamedTuple):
  """What the networks make of a trajectory: for the objective, for the bonus, and where the open
  loop starts, arrays [T+1, B, ...]."""

  view: View
  outputs: Outputs
  starts: Any = ()


def encode(parts: Parts, state: LearnerState, observation: Any) -> jax.Array:
  """The target encoder's latents [..., N] of observations [..., *O] of the environment."""
  observation = observation_normaliser.normalise(state.observation_moments, observation)
  return parts.model.encode(state.target_encoder, observation)


def observe(
  parts: Parts, params: Any, trajectory: Trajectory, core: Any, key: jax.Array | None = None
) -> tuple[jax.Array, Any]:
  """Latents and the open loop's starts [T+1, B, ...]; no gradient goes through what burn-in made.

  Args:
    parts: of the agent.
    params: of a world model.
    trajectory: [T+1, B].
    core: the closed loop's state before it, [B, ...].
    key: random, for an encoder that reads one in training.
  """
  model, n = parts.model, parts.config.replay.burn_in
  previous = jnp.concatenate([trajectory.memory.action[None], trajectory.action[:-1]])
  latents = model.encode(params, trajectory.observation, key)
  inputs = (latents, previous, trajectory.first)
  if not n:
    return latents, model.observe(params, *inputs, core)[0]
  burnt, core = jax.lax.stop_gradient(model.observe(params, *(x[:n] for x in inputs), core))
  starts, _ = model.observe(params, *(x[n:] for x in inputs), core)
  return latents, jax.tree.map(lambda *x: jnp.concatenate(x), burnt, starts)


def read_heads(parts: Parts, heads: Any, beliefs: jax.Array, observation: Any) -> Any:
  """What the heads say of beliefs [..., H], of the actions that the observations allow."""
  out, allowed = parts.objective.heads.apply(heads, beliefs), legal(observation)
  if allowed is None:
    return out
  assert parts.objective.mask is not None
  return parts.objective.mask(out, allowed)


def view(parts: Parts, heads: Any, beliefs: jax.Array, trajectory: Trajectory) -> View:
  """The heads' readings of the closed loop's beliefs [T+1, B, H], and of the bonus's condition."""
  if parts.bonus.condition is not None:
    acted = trajectory.extras["condition"][:-1]
    # Nothing was done at the last entry: its value is that of going on as before.
    beliefs = jnp.concatenate([beliefs, jnp.concatenate([acted, acted[-1:]])], axis=-1)
  return View(heads, beliefs, read_heads(parts, heads, beliefs, trajectory.observation))


def forward(
  parts: Parts,
  params: Params,
  state: LearnerState,
  trajectory: Trajectory,
  key: jax.Array | None = None,
) -> Forward:
  """Of all networks, with the parameters `params`, whose targets are the state's; `key` is for an
  encoder that is random in training."""
  # Both encoders leave out the same branches.
  own = key if parts.model.stochastic else None
  latents, starts = observe(parts, params.world_model, trajectory, trajectory.memory.core, own)
  read = starts
  if not parts.config.share_encoder:
    memory = trajectory.memory.policy_core
    read = observe(parts, params.policy_model, trajectory, memory, own)[1]
  forecasts = None
  if parts.with_forecasts:
    config = parts.config.world_model
    # The ablation without stop-gradient has the online encoder as its target.
    targets = latents
    if config.stop_gradient:
      targets = parts.model.encode(state.target_encoder, trajectory.observation)
    forecasts = forecast(
      parts.model, config.horizon, params.world_model, targets, starts, trajectory.action,
      trajectory.first,
    )  # fmt: skip
  belief = parts.model.belief
  outputs = Outputs(belief(starts), latents, forecasts)
  online = view(parts, params.heads, belief(read), trajectory)
  if parts.objective.reads_imagined:
    assert forecasts is not None
    online = online._replace(imagined=parts.objective.heads.apply(params.heads, forecasts.imagined))
  return Forward(online, outputs, starts)


def target_view(parts: Parts, state: LearnerState, trajectory: Trajectory, online: View) -> View:
  """What the objective's targets are made of: the moving average's view, or the online one."""
  if parts.objective.target_decay is None:
    return online
  reader, heads = state.target
  memory = trajectory.memory
  core = memory.core if parts.config.share_encoder else memory.policy_core
  starts = observe(parts, reader, trajectory, core)[1]
  return view(parts, heads, parts.model.belief(starts), trajectory)
