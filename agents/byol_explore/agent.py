"""Agent `byol_explore`: V-MPO on the beliefs of a world model that pays for its own surprise.

Source: BYOL-Explore (Guo et al. 2022, arXiv 2206.08332). One loss,

  objective(extrinsic + weight * bonus) + byol_weight * BYOL loss + bonus loss,

whose gradients all reach the encoder and the closed loop.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import optax

from agents import bonuses, objectives
from agents.agent import Agent, DataSpec, HasSpecs, Metrics, Trajectory, registry
from agents.bonuses import Context, Forecasts, Outputs, payment
from agents.bonuses.payment import BonusState
from agents.byol_explore.config import ByolExploreConfig
from agents.networks import heads, policies
from agents.world_model import diagnostics, table, world_model


class Params(NamedTuple):
  """All that gradients reach."""

  world_model: Any
  heads: Any
  objective: Any
  bonus: Any


class LearnerState(NamedTuple):
  """All that is learned and shared.

  Attributes:
    params: the online parameters.
    behaviour: the copy that acts.
    target_encoder: moving average of the online encoder.
    optimiser: optax state.
    bonus: what the bonus keeps.
    updates: int32, calls of `learn` so far.
  """

  params: Params
  behaviour: Params
  target_encoder: Any
  optimiser: Any
  bonus: BonusState
  updates: jax.Array


class Variables(NamedTuple):
  """What acting needs of the learner state."""

  params: Params
  statistics: Any


class Memory(NamedTuple):
  """What an environment carries while acting.

  Attributes:
    core: the closed loop's state.
    action: the last one, [B, *A].
    bonus: the bonus's episodic memory.
  """

  core: Any
  action: jax.Array
  bonus: Any


class Forward(NamedTuple):
  """What the networks make of a trajectory: policy [T+1, B, P], values [T+1, B], and the rest."""

  policy: jax.Array
  values: jax.Array
  outputs: Outputs


class Prepared(NamedTuple):
  """What is fixed before the gradient steps on a batch, with the parameters before them.

  Attributes:
    targets: the objective's, arrays [T, B, ...].
    bonus: what the bonus keeps, after the batch.
    metrics: of the bonus.
  """

  targets: Any
  bonus: BonusState
  metrics: Metrics


@registry.register("byol_explore", summary="V-MPO on a latent world model, paid by its surprise")
def build(config: ByolExploreConfig, env: HasSpecs) -> Agent:
  """Puts the agent together for the specs of `env`.

  Raises:
    ValueError: if the actions are of a kind that no policy fits, or the objective's minibatches do
      not divide the batch.
  """
  actions = env.action_spec()
  model = world_model.build(config.world_model, env.observation_spec(), actions, env.cell_pixels)
  policy = policies.build(actions)
  head = hk.without_apply_rng(
    hk.transform(
      lambda belief: heads.PolicyValue(policy.size, config.head_hidden, config.head_layers)(belief)
    )
  )
  # An objective of the user's own, named module:Name, has no settings here and gets None.
  settings = getattr(config, config.objective, None)
  objective = objectives.registry.get(config.objective)(settings, config.returns, policy)
  if config.batch_size % objective.minibatches:
    raise ValueError(
      f"batch_size is {config.batch_size}; it must be a multiple of the {objective.minibatches}"
      " minibatches."
    )
  torso = (
    config.payment.bonus_torso if config.payment.bonus_torso != "auto" else config.world_model.torso
  )
  bonus = bonuses.registry.get(config.bonus)(
    getattr(config.bonuses, config.bonus, None),
    Context(
      env,
      torso,
      config.world_model.latent_size,
      config.world_model.core_size,
      config.returns.discount,
      config.world_model.horizon,
    ),
  )
  with_table = bonus.reads_table or config.auxiliary == "byol"
  networks = optax.chain(
    optax.clip_by_global_norm(config.max_gradient_norm),
    optax.adam(config.learning_rate, eps=config.adam_epsilon),
  )
  optimiser = optax.multi_transform(
    # A bonus's own networks are clipped apart, so as not to scale down the policy's gradient.
    {"networks": networks, "duals": optax.adam(config.vmpo.dual_learning_rate), "bonus": networks},
    Params("networks", "networks", "duals", "bonus"),
  )

  def init(key: jax.Array) -> LearnerState:
    model_key, head_key, bonus_key = jax.random.split(key, 3)
    model_params = model.init(model_key)
    bonus_params, statistics = bonus.init(bonus_key)
    params = Params(
      model_params,
      head.init(head_key, model.belief(model.initial_state(1))),
      objective.init(),
      bonus_params,
    )
    return LearnerState(
      params=params,
      # Copies, because the runtimes donate the state's buffers and none may be donated twice.
      behaviour=jax.tree.map(jnp.copy, params),
      target_encoder=jax.tree.map(jnp.copy, model.encoder(model_params)),
      optimiser=optimiser.init(params),
      bonus=payment.init(statistics, config.payment),
      updates=jnp.int32(0),
    )

  def initial_memory(batch: int) -> Memory:
    return Memory(model.initial_state(batch), policy.no_action(batch), bonus.initial_memory(batch))

  def act(variables: Variables, memory: Memory, timestep: Any, key: jax.Array, explore: bool):
    params, first = variables.params, timestep.first()
    latent = model.encode(params.world_model, timestep.observation)
    core = model.step(params.world_model, latent, memory.action, first, memory.core)
    seen = bonus.remember(
      params.bonus, variables.statistics, memory.bonus, timestep.observation, first
    )
    p, _ = head.apply(params.heads, model.belief(core))
    sample = policy.sample(key, p) if explore else policy.mode(p)
    action = policy.action(sample)
    return action, {"policy": p, "sample": sample}, Memory(core, action, seen)

  def forward(params: Params, state: LearnerState, trajectory: Trajectory) -> Forward:
    previous = jnp.concatenate([trajectory.memory.action[None], trajectory.action[:-1]])
    latents = model.encode(params.world_model, trajectory.observation)
    states = model.observe(
      params.world_model, latents, previous, trajectory.first, trajectory.memory.core
    )
    beliefs = model.belief(states)
    p, values = head.apply(params.heads, beliefs)
    forecasts = None
    if with_table:
      # The ablation without stop-gradient has the online encoder as its target.
      targets = latents
      if config.world_model.stop_gradient:
        targets = model.encode(state.target_encoder, trajectory.observation)
      imagined = model.imagine(params.world_model, states, trajectory.action)
      errors = model.errors(params.world_model, imagined, targets)
      valid = table.valid_pairs(trajectory.first, config.world_model.horizon)
      forecasts = Forecasts(targets, imagined, errors, valid)
    return Forward(p, values, Outputs(beliefs, latents, forecasts))

  def pay(
    state: LearnerState, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> tuple[jax.Array, BonusState, Metrics]:
    params, discount = state.params.bonus, config.returns.discount
    return payment.pay(
      bonus, config.payment, discount, params, state.bonus, trajectory, outputs, key
    )

  def intrinsic(state: LearnerState, trajectory: Trajectory, key: jax.Array) -> jax.Array:
    return pay(state, trajectory, forward(state.params, state, trajectory).outputs, key)[0]

  def prepare(
    state: LearnerState, trajectory: Trajectory, seen: Forward, key: jax.Array
  ) -> Prepared:
    intrinsic, kept, metrics = pay(state, trajectory, seen.outputs, key)
    rewards = trajectory.reward[1:] + state.bonus.weight * intrinsic
    return jax.lax.stop_gradient(
      Prepared(
        objective.prepare(seen.policy, seen.values, trajectory, rewards),
        kept,
        metrics,
      )
    )

  def loss(
    params: Params,
    state: LearnerState,
    trajectory: Trajectory,
    prepared: Prepared | None,
    key: jax.Array,
  ) -> tuple[jax.Array, tuple[Prepared, Metrics]]:
    seen = forward(params, state, trajectory)
    reward_key, loss_key = jax.random.split(key)
    if prepared is None:
      prepared = prepare(state, trajectory, seen, reward_key)
    total, metrics = objective.loss(
      params.objective, seen.policy, seen.values, trajectory, prepared.targets
    )
    if seen.outputs.forecasts is not None:
      byol_loss = table.loss(seen.outputs.forecasts.errors, seen.outputs.forecasts.valid)
      total += config.byol_weight * byol_loss
      metrics["byol_loss"] = byol_loss
    total += bonus.loss(params.bonus, prepared.bonus.statistics, trajectory, seen.outputs, loss_key)
    return total, (prepared, metrics | {"loss": total})

  def gradient_step(
    state: LearnerState, trajectory: Trajectory, prepared: Prepared | None, key: jax.Array
  ) -> tuple[LearnerState, Prepared, Metrics]:
    gradient, (prepared, metrics) = jax.grad(loss, has_aux=True)(
      state.params, state, trajectory, prepared, key
    )
    step, optimiser_state = optimiser.update(gradient, state.optimiser, state.params)
    params = optax.apply_updates(state.params, step)
    new = state._replace(
      params=params,
      target_encoder=optax.incremental_update(
        model.encoder(params.world_model),
        state.target_encoder,
        1.0 - config.world_model.target_decay,
      ),
      optimiser=optimiser_state,
    )
    return new, prepared, metrics | {"gradient_norm": optax.tree.norm(gradient)}

  def minibatch_steps(
    state: LearnerState, trajectory: Trajectory, key: jax.Array
  ) -> tuple[LearnerState, Prepared, Metrics]:
    order_key, reward_key, step_key = jax.random.split(key, 3)
    prepared = prepare(state, trajectory, forward(state.params, state, trajectory), reward_key)
    keys = jax.random.split(order_key, objective.epochs)
    batch = trajectory.reward.shape[1]
    order = jax.vmap(lambda key: jax.random.permutation(key, batch))(keys)

    def body(
      state: LearnerState, inputs: tuple[jax.Array, jax.Array]
    ) -> tuple[LearnerState, Metrics]:
      columns, key = inputs

      def take(x: Any, axis: int) -> Any:
        return jax.tree.map(lambda x: jnp.take(x, columns, axis=axis), x)

      part = take(trajectory._replace(memory=()), 1)._replace(memory=take(trajectory.memory, 0))
      targets = prepared._replace(targets=take(prepared.targets, 1))
      state, _, metrics = gradient_step(state, part, targets, key)
      return state, metrics

    steps = objective.epochs * objective.minibatches
    step_keys = jax.random.split(step_key, steps)
    state, history = jax.lax.scan(body, state, (order.reshape(steps, -1), step_keys))
    return state, prepared, jax.tree.map(jnp.mean, history)

  def learn(
    state: LearnerState, trajectory: Trajectory, key: jax.Array
  ) -> tuple[LearnerState, Metrics]:
    if objective.epochs == objective.minibatches == 1:
      # What is prepared comes from the forward pass of the one gradient step itself.
      state, prepared, metrics = gradient_step(state, trajectory, None, key)
    else:
      state, prepared, metrics = minibatch_steps(state, trajectory, key)
    updates = state.updates + 1
    new = state._replace(
      behaviour=optax.periodic_update(
        state.params, state.behaviour, updates, objective.behaviour_period
      ),
      bonus=prepared.bonus,
      updates=updates,
    )
    return new, metrics | prepared.metrics

  def diagnose(state: LearnerState, trajectory: Trajectory) -> Metrics:
    # A few environments are enough, and keep the cost of the spectrum small.
    few = trajectory.observation[:, :32]
    return diagnostics.latent_diagnostics(model.encode(state.target_encoder, few))

  return Agent(
    init=init,
    initial_memory=initial_memory,
    act=act,
    learn=learn,
    variables=lambda state: Variables(state.behaviour, state.bonus.statistics),
    diagnose=diagnose,
    intrinsic=intrinsic,
    data=DataSpec(config.unroll_length, config.batch_size),
    beliefs=lambda state, trajectory: forward(state.params, state, trajectory).outputs.beliefs,
  )
