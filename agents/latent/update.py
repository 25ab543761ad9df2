"""Learning: rewards, targets, the loss, its gradient steps, and what moves after them."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from agents import observation_normaliser, replay
from agents.agent import Learned, Metrics
from agents.bonuses import Outputs, payment
from agents.bonuses.payment import BonusState
from agents.latent.forward import Forward, forward, target_view
from agents.latent.parts import Parts
from agents.latent.state import LearnerState, Params
from agents.trajectory import Trajectory
from agents.world_model import table
from envs.observation import visible


class Prepared(NamedTuple):
  """What is fixed before the gradient steps on a batch, with the parameters before them.

  Attributes:
    targets: the objective's, arrays [T, B, ...].
    weights: what each step counts for, [T, B].
    bonus: what the bonus keeps, after the batch.
    metrics: of the bonus.
  """

  targets: Any
  weights: jax.Array
  bonus: BonusState
  metrics: Metrics


class Step(NamedTuple):
  """What one gradient step leaves beside the state."""

  prepared: Prepared
  metrics: Metrics
  priorities: Any


def intrinsic(
  parts: Parts, state: LearnerState, trajectory: Trajectory, outputs: Outputs, key: jax.Array
) -> tuple[jax.Array, BonusState, Metrics]:
  """The intrinsic rewards [T, B] before they are weighted, and what the bonus keeps after them."""
  return payment.pay(
    parts.bonus,
    parts.config.payment,
    parts.config.returns.discount,
    state.params.bonus,
    state.bonus,
    unmasked(trajectory),
    outputs,
    key,
  )


def prepare(
  parts: Parts, state: LearnerState, trajectory: Trajectory, now: Forward, key: jax.Array
) -> Prepared:
  """What the gradient steps take as given; `now` is the forward pass before them."""
  reward_key, target_key = jax.random.split(key)
  bonus, kept, metrics = intrinsic(parts, state, trajectory, now.outputs, reward_key)
  rewards = trajectory.reward[1:] + state.bonus.weight * bonus
  target = target_view(parts, state, trajectory, now.view)
  targets = parts.objective.prepare(
    state.params.duals, now.view, target, trajectory, rewards, target_key
  )
  weights = replay.weights(parts.config.replay, trajectory)
  return jax.lax.stop_gradient(Prepared(targets, weights, kept, metrics))


def loss(
  parts: Parts,
  params: Params,
  state: LearnerState,
  trajectory: Trajectory,
  prepared: Prepared | None,
  key: jax.Array,
) -> tuple[jax.Array, Step]:
  """The loss of a batch; without `prepared`, that is made of the same forward pass."""
  config = parts.config
  now = forward(parts, params, state, trajectory)
  prepare_key, bonus_key, objective_key = jax.random.split(key, 3)
  if prepared is None:
    prepared = prepare(parts, state, trajectory, now, prepare_key)
  weights = prepared.weights
  total, metrics, errors = parts.objective.loss(
    params.duals, now.view, trajectory, prepared.targets, weights, objective_key
  )
  forecasts = now.outputs.forecasts
  if forecasts is not None:
    burnt = jnp.arange(config.unroll_length)[:, None, None] < config.replay.burn_in
    byol_loss = table.loss(forecasts.errors, forecasts.valid & ~burnt)
    total += config.byol_weight * byol_loss
    metrics["byol_loss"] = byol_loss
  total += parts.bonus.loss(
    params.bonus, prepared.bonus.statistics, unmasked(trajectory), now.outputs, bonus_key
  )
  priorities: Any = ()
  if config.replay.replay_capacity:
    assert errors is not None
    priorities = jax.lax.stop_gradient(replay.priorities(config.replay, errors, weights))
  return total, Step(prepared, metrics | {"loss": total}, priorities)


def gradient(
  parts: Parts,
  state: LearnerState,
  trajectory: Trajectory,
  prepared: Prepared | None,
  key: jax.Array,
) -> tuple[Params, Step]:
  """The loss's gradient at the state's parameters."""
  return jax.grad(functools.partial(loss, parts), has_aux=True)(
    state.params, state, trajectory, prepared, key
  )


def gradient_step(
  parts: Parts,
  state: LearnerState,
  trajectory: Trajectory,
  prepared: Prepared | None,
  key: jax.Array,
) -> tuple[LearnerState, Step]:
  """One step of the optimiser, and of the moving averages that follow it."""
  direction, done = gradient(parts, state, trajectory, prepared, key)
  step, optimiser_state = parts.optimiser.update(direction, state.optimiser, state.params)
  params = optax.apply_updates(state.params, step)
  new = state._replace(
    params=params,
    target_encoder=optax.incremental_update(
      parts.model.encoder(params.world_model),
      state.target_encoder,
      1.0 - parts.config.world_model.target_decay,
    ),
    optimiser=optimiser_state,
  )
  if parts.objective.target_decay is not None:
    target = optax.incremental_update(
      params.of_policy, state.target, 1.0 - parts.objective.target_decay
    )
    new = new._replace(target=target)
  norm = {"gradient_norm": optax.tree.norm(direction)}
  return new, done._replace(metrics=done.metrics | norm)


def minibatch_steps(
  parts: Parts, state: LearnerState, trajectory: Trajectory, key: jax.Array
) -> tuple[LearnerState, Step]:
  """The objective's epochs of minibatches, whole columns in a random order."""
  objective = parts.objective
  order_key, prepare_key, step_key = jax.random.split(key, 3)
  now = forward(parts, state.params, state, trajectory)
  prepared = prepare(parts, state, trajectory, now, prepare_key)
  keys = jax.random.split(order_key, objective.epochs)
  batch = trajectory.reward.shape[1]
  order = jax.vmap(lambda key: jax.random.permutation(key, batch))(keys)

  def body(
    state: LearnerState, inputs: tuple[jax.Array, jax.Array]
  ) -> tuple[LearnerState, Metrics]:
    columns, key = inputs
    part = trajectory.columns(columns)
    targets, weights = jax.tree.map(
      lambda x: jnp.take(x, columns, axis=1), (prepared.targets, prepared.weights)
    )
    fixed = prepared._replace(targets=targets, weights=weights)
    state, done = gradient_step(parts, state, part, fixed, key)
    return state, done.metrics

  steps = objective.epochs * objective.minibatches
  step_keys = jax.random.split(step_key, steps)
  state, history = jax.lax.scan(body, state, (order.reshape(steps, -1), step_keys))
  return state, Step(prepared, jax.tree.map(jnp.mean, history), ())


def read(state: LearnerState, trajectory: Trajectory) -> Trajectory:
  """The trajectory as the networks read it, its observations normalised where that is asked."""
  return trajectory._replace(
    observation=observation_normaliser.normalise(state.observation_moments, trajectory.observation)
  )


def unmasked(trajectory: Trajectory) -> Trajectory:
  """The trajectory as a bonus reads it, without masks of actions."""
  return trajectory._replace(observation=visible(trajectory.observation))


def learn(parts: Parts, state: LearnerState, trajectory: Trajectory, key: jax.Array) -> Learned:
  """See `agents.agent.Agent.learn`."""
  if parts.normalises:
    moments = observation_normaliser.update(state.observation_moments, trajectory.observation)
    state = state._replace(observation_moments=moments)
  trajectory = read(state, trajectory)
  if parts.objective.epochs == parts.objective.minibatches == 1:
    # What is prepared comes from the forward pass of the one gradient step itself.
    state, done = gradient_step(parts, state, trajectory, None, key)
  else:
    state, done = minibatch_steps(parts, state, trajectory, key)
  updates = state.updates + 1
  new = state._replace(
    behaviour=optax.periodic_update(
      state.params, state.behaviour, updates, parts.objective.behaviour_period
    ),
    bonus=done.prepared.bonus,
    updates=updates,
  )
  return Learned(new, done.metrics | done.prepared.metrics, done.priorities)
