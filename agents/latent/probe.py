"""What instruments may ask of an agent on the latent world model; see `agents.agent.Probe`."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents import observation_normaliser
from agents.agent import Metrics, Probe
from agents.latent import update
from agents.latent.forward import Forward, forward
from agents.latent.parts import Parts
from agents.latent.state import LearnerState, Params, Variables
from agents.optimisers import optimiser as optimisers
from agents.optimisers.sharpness import lanczos, random_like
from agents.trajectory import Trajectory
from agents.world_model import diagnostics

DIAGNOSED = 32
"""Environments whose latents are diagnosed: enough, and the cost of the spectrum stays small."""


def build(parts: Parts) -> Probe:
  """The probe of an agent of these parts."""

  def bound(function: Any) -> Any:
    return functools.partial(function, parts)

  has_policy = parts.objective.learns or parts.objective.taught
  return Probe(
    bound(diagnose),
    bound(intrinsic),
    bound(beliefs),
    bound(heads),
    bound(gradient),
    policy=bound(policy) if parts.bonus.condition is None and has_policy else None,
    attention=None if parts.model.attention is None else bound(attention),
  )


def outputs(parts: Parts, state: LearnerState, trajectory: Trajectory) -> Forward:
  """The forward pass with the parameters that are evaluated."""
  params = optimisers.evaluated(state.optimiser, state.params)
  return forward(parts, params, state, update.read(state, trajectory))


def diagnose(parts: Parts, state: LearnerState, trajectory: Trajectory) -> Metrics:
  few = jax.tree.map(lambda x: x[:, :DIAGNOSED], update.read(state, trajectory).observation)
  found = diagnostics.latent_diagnostics(parts.model.encode(state.target_encoder, few))
  return found | sharpness(parts, state, trajectory)


def sharpness(parts: Parts, state: LearnerState, trajectory: Trajectory) -> Metrics:
  """The ends of the spectrum of the loss's Hessian in the networks' parameters, where asked for."""
  if not parts.config.sharpness_steps:
    return {}
  duals = jax.tree.map(jnp.zeros_like, state.params.duals)
  key, start_key = jax.random.split(jax.random.key(0))  # the same loss and start every time

  def hvp(direction: Params) -> Params:
    read = update.read(state, trajectory)
    return update.hessian_product(parts, state, read, None, key, direction)._replace(duals=duals)

  start = random_like(start_key, state.params)._replace(duals=duals)
  values = lanczos(hvp, start, parts.config.sharpness_steps)
  return {"sharpness": values[-1], "sharpness_least": values[0]}


def intrinsic(
  parts: Parts, state: LearnerState, trajectory: Trajectory, key: jax.Array
) -> jax.Array:
  now = outputs(parts, state, trajectory).outputs
  return update.intrinsic(parts, state, update.read(state, trajectory), now, key)[0]


def beliefs(parts: Parts, state: LearnerState, trajectory: Trajectory) -> jax.Array:
  return outputs(parts, state, trajectory).outputs.beliefs


def heads(parts: Parts, state: LearnerState, trajectory: Trajectory) -> Any:
  return outputs(parts, state, trajectory).view.out


def policy(parts: Parts, state: LearnerState, trajectory: Trajectory) -> jax.Array:
  out = outputs(parts, state, trajectory).view.out
  return parts.objective.parameters(state.params.duals, out)


def attention(parts: Parts, variables: Variables, observation: Any) -> dict[str, jax.Array]:
  assert parts.model.attention is not None
  seen = observation_normaliser.normalise(variables.observation_moments, observation)
  shared = parts.config.share_encoder
  own = variables.params.world_model if shared else variables.params.policy_model
  return parts.model.attention(own, seen)


def gradient(parts: Parts, state: LearnerState, trajectory: Trajectory, key: jax.Array) -> Params:
  return update.gradient(parts, state, update.read(state, trajectory), None, key)[0]


def value(parts: Parts, state: LearnerState, trajectory: Trajectory) -> jax.Array:
  """See `agents.agent.Agent.value`."""
  assert parts.objective.value is not None
  return parts.objective.value(outputs(parts, state, trajectory).view, trajectory.action)
