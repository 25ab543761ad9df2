"""Learning: rewards, targets, the loss, its gradient steps, and what moves after them."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from agents import observation_normaliser, replay
from agents.agent import Learned, Metrics
from agents.auxiliaries import Inputs
from agents.bonuses import payment
from agents.bonuses.payment import BonusState
from agents.latent.forward import Forward, forward, target_view
from agents.latent.parts import LABELS, Parts
from agents.latent.planning import reanalyse
from agents.latent.state import LearnerState, Params, variables
from agents.objectives.objective import Stream, continuing, episodic
from agents.optimisers import optimiser as optimisers
from agents.optimisers import schedules
from agents.trajectory import Trajectory
from agents.world_model.forecasts import Outputs
from envs.observation import LABEL, classes, visible


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
  """What one gradient step leaves beside the state; `auxiliaries` is what these keep."""

  prepared: Prepared
  metrics: Metrics
  priorities: Any
  auxiliaries: dict[str, Any]


def intrinsic(
  parts: Parts, state: LearnerState, trajectory: Trajectory, outputs: Outputs, key: jax.Array
) -> tuple[jax.Array, BonusState, Metrics]:
  """The intrinsic rewards [T, B] before they are weighted, and what the bonus keeps after them."""
  return payment.pay(
    parts.bonus,
    parts.config.payment,
    state.hyper.intrinsic_discount if parts.config.returns.streams > 1 else state.hyper.discount,
    state.params.bonus,
    state.bonus,
    unmasked(trajectory),
    outputs,
    key,
  )


def rewards(
  parts: Parts, state: LearnerState, trajectory: Trajectory, intrinsic: jax.Array
) -> tuple[Stream, ...]:
  """What the objective learns from: one stream of all rewards, or the environment's and that of the
  intrinsic ones [T, B], which are weighted here."""
  hyper, config = state.hyper, parts.config.returns
  extrinsic, intrinsic = trajectory.reward[1:], hyper.bonus_weight * intrinsic
  if config.streams == 1:
    return (episodic(extrinsic + intrinsic, hyper.discount, trajectory),)
  of_intrinsic = episodic if config.intrinsic_episodic else continuing
  return (
    episodic(extrinsic, hyper.discount, trajectory),
    of_intrinsic(intrinsic, hyper.intrinsic_discount, trajectory),
  )


def prepare(
  parts: Parts, state: LearnerState, trajectory: Trajectory, now: Forward, key: jax.Array
) -> Prepared:
  """What the gradient steps take as given; `now` is the forward pass before them."""
  reward_key, target_key = jax.random.split(key)
  bonus, kept, metrics = intrinsic(parts, state, trajectory, now.outputs, reward_key)
  streams = rewards(parts, state, trajectory, bonus)
  if parts.objective.reanalyses:
    newest = variables(state)._replace(params=state.params)
    plan_key = jax.random.fold_in(target_key, 1)
    trajectory = reanalyse(parts, newest, now.starts, now.view, trajectory, plan_key)
  target = target_view(parts, state, trajectory, now.view)
  targets = parts.objective.prepare(
    state.params.duals, now.view, target, trajectory, streams, target_key
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
  # fold_in(key, i) is the i-th key of a split, so the first four are taken.
  now = forward(parts, params, state, trajectory, jax.random.fold_in(key, 4))
  prepare_key, bonus_key, objective_key, auxiliary_key = jax.random.split(key, 4)
  if prepared is None:
    prepared = prepare(parts, state, trajectory, now, prepare_key)
  weights = prepared.weights
  total, metrics, errors, entropy, value = parts.objective.loss(
    params.duals, now.view, trajectory, prepared.targets, weights, objective_key
  )
  if value is not None:
    total += state.hyper.value_weight * value
  if entropy is not None:
    total -= state.hyper.entropy_weight * entropy
  inputs, auxiliaries = auxiliary_inputs(parts, params, state, trajectory, now), {}
  for i, (name, (method, _)) in enumerate(parts.auxiliaries.items()):
    own_key = jax.random.fold_in(auxiliary_key, i)
    auxiliary, logged, auxiliaries[name] = method.loss(
      params.auxiliaries[name], state.auxiliaries[name], inputs, own_key
    )
    total += state.hyper.auxiliary_weights[name] * auxiliary
    metrics |= {f"{name}_loss": auxiliary} | logged
  total += parts.bonus.loss(
    params.bonus, prepared.bonus.statistics, unmasked(trajectory), now.outputs, bonus_key
  )
  priorities: Any = ()
  if config.replay.replay_capacity:
    assert errors is not None
    priorities = jax.lax.stop_gradient(replay.priorities(config.replay, errors, weights))
  return total, Step(
    prepared, metrics | {"loss": total}, priorities, jax.lax.stop_gradient(auxiliaries)
  )


def auxiliary_inputs(
  parts: Parts, params: Params, state: LearnerState, trajectory: Trajectory, now: Forward
) -> Inputs:
  """What the auxiliary losses are functions of."""
  steps = jnp.arange(trajectory.reward.shape[0])[:, None]
  counted = (steps >= parts.config.replay.burn_in).astype(jnp.float32)
  return Inputs(
    unmasked(trajectory),
    now.outputs.latents,
    now.outputs.beliefs,
    now.outputs.forecasts,
    functools.partial(parts.model.encode, params.world_model),
    functools.partial(_encode_target, parts, state),
    labels(parts, trajectory.observation),
    jnp.broadcast_to(counted, trajectory.reward.shape),
    parts.objective.parameters(jax.lax.stop_gradient(params.duals), now.view.out),
  )


def labels(parts: Parts, observation: Any) -> dict[str, jax.Array]:
  """What is known of observations [T+1, B, ...] beside what networks read; see `Inputs.labels`."""
  return {LABEL: observation[LABEL]} if classes(parts.env.observation_spec()) else {}


def _encode_target(parts: Parts, state: LearnerState, observation: Any) -> jax.Array:
  return jax.lax.stop_gradient(parts.model.encode(state.target_encoder, observation))


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


def hessian_product(
  parts: Parts,
  state: LearnerState,
  trajectory: Trajectory,
  prepared: Prepared | None,
  key: jax.Array,
  direction: Params,
) -> Params:
  """The product of the loss's Hessian with a direction, at the state's parameters."""

  def at(params: Params) -> Params:
    return gradient(parts, state._replace(params=params), trajectory, prepared, key)[0]

  return jax.jvp(at, (state.params,), (direction,))[1]


def gradient_step(
  parts: Parts,
  state: LearnerState,
  trajectory: Trajectory,
  prepared: Prepared | None,
  key: jax.Array,
) -> tuple[LearnerState, Step]:
  """One step of the optimiser, and of the moving averages that follow it."""
  direction, done = gradient(parts, state, trajectory, prepared, key)

  def value_fn(params: Params) -> jax.Array:
    return loss(parts, params, state, trajectory, prepared, key)[0]

  share = parts.share(state.updates)
  rate = state.hyper.learning_rate * schedules.factor(parts.config.schedule, share)
  # For optimisers that ask; what none asks for costs nothing.
  step, optimiser_state = parts.optimiser.update(
    direction, state.optimiser, state.params, value=done.metrics["loss"], value_fn=value_fn,
    hvp=functools.partial(hessian_product, parts, state, trajectory, prepared, key),
    learning_rate=rate,
  )  # fmt: skip
  step = optimisers.scaled(step, LABELS, rate, state.hyper.dual_learning_rate)
  params = optax.apply_updates(state.params, step)
  new = state._replace(
    params=params,
    target_encoder=optax.incremental_update(
      parts.model.encoder(params.world_model),
      state.target_encoder,
      1.0 - parts.config.world_model.target_decay,
    ),
    optimiser=optimiser_state,
    auxiliaries={
      name: method.follow(params.auxiliaries[name], done.auxiliaries[name], share)
      for name, (method, _) in parts.auxiliaries.items()
    },
  )
  if parts.objective.target_decay is not None:
    target = optax.incremental_update(
      params.of_policy, state.target, 1.0 - parts.objective.target_decay
    )
    new = new._replace(target=target)
  norm = {"gradient_norm": optax.tree.norm(direction)}
  logged = done.metrics | norm | optimisers.metrics(optimiser_state)
  return new, done._replace(metrics=logged)


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
  return state, Step(prepared, jax.tree.map(jnp.mean, history), (), state.auxiliaries)


def read(state: LearnerState, trajectory: Trajectory) -> Trajectory:
  """The trajectory as the networks read it, its observations normalised where that is asked."""
  return trajectory._replace(
    observation=observation_normaliser.normalise(state.observation_moments, trajectory.observation)
  )


def unmasked(trajectory: Trajectory) -> Trajectory:
  """The trajectory as bonuses and auxiliary losses read it, without masks of actions."""
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
      optimisers.evaluated(state.optimiser, state.params),
      state.behaviour,
      updates,
      parts.objective.behaviour_period,
    ),
    bonus=done.prepared.bonus,
    updates=updates,
  )
  return Learned(new, done.metrics | done.prepared.metrics, done.priorities)
