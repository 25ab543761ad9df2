"""How an agent on the latent world model is put together: world model, bonus, objective.

One loss,

  objective(extrinsic + weight * bonus) + byol_weight * BYOL loss + bonus loss,

whose gradients all reach the encoder and the closed loop (BYOL-Explore, Guo et al. 2022,
arXiv 2206.08332). Agents differ in their settings: see byol_explore, soft_q and soft_pg beside this
file.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from agents import bonuses, objectives, observation_normaliser, replay
from agents.agent import Agent, HasSpecs, Learned, Metrics
from agents.bonuses import Forecasts, Outputs, payment
from agents.bonuses.payment import BonusState
from agents.latent.config import AgentConfig
from agents.objectives.objective import View
from agents.optimisers import optimiser as optimisers
from agents.trajectory import DataSpec, Trajectory
from agents.world_model import diagnostics, table, world_model


class Params(NamedTuple):
  """All that gradients reach; `policy_model` is () where the policy reads the world model."""

  world_model: Any
  policy_model: Any
  heads: Any
  duals: Any
  bonus: Any


class LearnerState(NamedTuple):
  """All that is learned and shared.

  Attributes:
    params: the online parameters.
    behaviour: the copy that acts.
    target_encoder: moving average of the online encoder.
    target: moving average of the parameters, for the objective's targets; () if it has none.
    optimiser: optax state.
    bonus: what the bonus keeps.
    updates: int32, calls of `learn` so far.
    observation_moments: running moments of the observations; () where they are not normalised.
  """

  params: Params
  behaviour: Params
  target_encoder: Any
  target: Any
  optimiser: Any
  bonus: BonusState
  updates: jax.Array
  observation_moments: Any = ()


class Variables(NamedTuple):
  """What acting needs of the learner state."""

  params: Params
  statistics: Any
  observation_moments: Any = ()


class Memory(NamedTuple):
  """What an environment carries while acting.

  Attributes:
    core: the closed loop's state.
    policy_core: that of the policy's own model; () where it reads the world model.
    action: the last one, [B, *A].
    bonus: the bonus's episodic memory.
  """

  core: Any
  policy_core: Any
  action: jax.Array
  bonus: Any


class Forward(NamedTuple):
  """What the networks make of a trajectory: for the objective, and for the bonus."""

  view: View
  outputs: Outputs


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


def build(config: AgentConfig, env: HasSpecs) -> Agent:
  """Puts the agent together for the specs of `env`.

  Raises:
    ValueError: if the actions are of a kind that the objective cannot take, its minibatches do not
      divide the batch, it cannot learn from a replay that is asked for, or observations that are to
      be normalised are not floats.
  """
  actions = env.action_spec()
  model = world_model.build(config.world_model, env.observation_spec(), actions, env.cell_pixels)
  objective = objectives.registry.get(config.objective)(
    config.objectives.of(config.objective),
    objectives.Context(actions, config.returns, config.head_hidden, config.head_layers),
  )
  policy = objective.policy
  if config.batch_size % objective.minibatches:
    raise ValueError(
      f"batch_size is {config.batch_size}; it must be a multiple of the {objective.minibatches}"
      " minibatches."
    )
  if config.replay.replay_capacity and not objective.replays:
    raise ValueError(f"objective {config.objective!r} is on policy; give replay_capacity 0.")
  bonus = bonuses.registry.get(config.bonus)(
    getattr(config.bonuses, config.bonus, None),
    bonuses.Context(
      env,
      config.payment.bonus_torso
      if config.payment.bonus_torso != "auto"
      else config.world_model.torso,
      config.world_model.latent_size,
      config.world_model.core_size,
      config.returns.discount,
      config.world_model.horizon,
    ),
  )
  with_table = bonus.reads_table or config.auxiliary == "byol"
  optimiser = optimisers.build(config, Params("networks", "networks", "networks", "duals", "bonus"))

  def init(key: jax.Array) -> LearnerState:
    model_key, head_key, bonus_key = jax.random.split(key, 3)
    model_params = model.init(model_key)
    bonus_params, statistics = bonus.init(bonus_key)
    params = Params(
      model_params,
      () if config.share_encoder else model.init(jax.random.fold_in(model_key, 1)),
      objective.heads.init(head_key, model.belief(model.initial_state(1))),
      objective.init(),
      bonus_params,
    )

    # Copies, because the runtimes donate the state's buffers and none may be donated twice.
    def copy(x: Any) -> Any:
      return jax.tree.map(jnp.copy, x)

    return LearnerState(
      params=params,
      behaviour=copy(params),
      target_encoder=copy(model.encoder(model_params)),
      target=() if objective.target_decay is None else copy(_of_policy(params)),
      optimiser=optimiser.init(params),
      bonus=payment.init(statistics, config.payment),
      updates=jnp.int32(0),
    )

  def initial_memory(batch: int) -> Memory:
    core = model.initial_state(batch)
    own = () if config.share_encoder else model.initial_state(batch)
    return Memory(core, own, policy.no_action(batch), bonus.initial_memory(batch))

  def act(variables: Variables, memory: Memory, timestep: Any, key: jax.Array, explore: bool):
    params, first = variables.params, timestep.first()

    def step(model_params: Any, core: Any) -> Any:
      latent = model.encode(model_params, timestep.observation)
      return model.step(model_params, latent, memory.action, first, core)

    core, own = step(params.world_model, memory.core), ()
    if not config.share_encoder:
      own = step(params.policy_model, memory.policy_core)
    seen = bonus.remember(
      params.bonus, variables.statistics, memory.bonus, timestep.observation, first
    )
    belief = model.belief(core if config.share_encoder else own)
    p = objective.parameters(params.duals, objective.heads.apply(params.heads, belief))
    sample = policy.sample(key, p) if explore else policy.mode(p)
    action = policy.action(sample)
    return action, {"policy": p, "sample": sample}, Memory(core, own, action, seen)

  def observe(params: Any, trajectory: Trajectory, core: Any) -> tuple[jax.Array, Any]:
    """Latents and states [T+1, B, ...]; no gradient goes through what burn-in made."""
    previous = jnp.concatenate([trajectory.memory.action[None], trajectory.action[:-1]])
    latents = model.encode(params, trajectory.observation)
    inputs, n = (latents, previous, trajectory.first), config.replay.burn_in
    if not n:
      return latents, model.observe(params, *inputs, core)
    burnt = jax.lax.stop_gradient(model.observe(params, *(x[:n] for x in inputs), core))
    last = jax.tree.map(lambda x: x[-1], burnt)
    states = model.observe(params, *(x[n:] for x in inputs), last)
    return latents, jax.tree.map(lambda *x: jnp.concatenate(x), burnt, states)

  def view(heads: Any, states: Any) -> View:
    beliefs = model.belief(states)
    return View(heads, beliefs, objective.heads.apply(heads, beliefs))

  def forward(params: Params, state: LearnerState, trajectory: Trajectory) -> Forward:
    latents, states = observe(params.world_model, trajectory, trajectory.memory.core)
    read = states
    if not config.share_encoder:
      read = observe(params.policy_model, trajectory, trajectory.memory.policy_core)[1]
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
    outputs = Outputs(model.belief(states), latents, forecasts)
    return Forward(view(params.heads, read), outputs)

  def target_view(state: LearnerState, trajectory: Trajectory, online: View) -> View:
    if objective.target_decay is None:
      return online
    reader, heads = state.target
    own = trajectory.memory.core if config.share_encoder else trajectory.memory.policy_core
    return view(heads, observe(reader, trajectory, own)[1])

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
    reward_key, target_key = jax.random.split(key)
    intrinsic, kept, metrics = pay(state, trajectory, seen.outputs, reward_key)
    rewards = trajectory.reward[1:] + state.bonus.weight * intrinsic
    target = target_view(state, trajectory, seen.view)
    targets = objective.prepare(
      state.params.duals, seen.view, target, trajectory, rewards, target_key
    )
    weights = replay.weights(config.replay, trajectory)
    return jax.lax.stop_gradient(Prepared(targets, weights, kept, metrics))

  def loss(
    params: Params,
    state: LearnerState,
    trajectory: Trajectory,
    prepared: Prepared | None,
    key: jax.Array,
  ) -> tuple[jax.Array, Step]:
    seen = forward(params, state, trajectory)
    prepare_key, bonus_key, objective_key = jax.random.split(key, 3)
    if prepared is None:
      prepared = prepare(state, trajectory, seen, prepare_key)
    weights = prepared.weights
    total, metrics, errors = objective.loss(
      params.duals, seen.view, trajectory, prepared.targets, weights, objective_key
    )
    forecasts = seen.outputs.forecasts
    if forecasts is not None:
      burnt = jnp.arange(config.unroll_length)[:, None, None] < config.replay.burn_in
      byol_loss = table.loss(forecasts.errors, forecasts.valid & ~burnt)
      total += config.byol_weight * byol_loss
      metrics["byol_loss"] = byol_loss
    total += bonus.loss(
      params.bonus, prepared.bonus.statistics, trajectory, seen.outputs, bonus_key
    )
    new: Any = ()
    if config.replay.replay_capacity:
      new = jax.lax.stop_gradient(replay.priorities(config.replay, errors, weights))
    return total, Step(prepared, metrics | {"loss": total}, new)

  def gradient_step(
    state: LearnerState, trajectory: Trajectory, prepared: Prepared | None, key: jax.Array
  ) -> tuple[LearnerState, Step]:
    gradient, done = jax.grad(loss, has_aux=True)(state.params, state, trajectory, prepared, key)
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
    if objective.target_decay is not None:
      new = new._replace(
        target=optax.incremental_update(
          _of_policy(params), state.target, 1.0 - objective.target_decay
        )
      )
    norm = {"gradient_norm": optax.tree.norm(gradient)}
    return new, done._replace(metrics=done.metrics | norm)

  def minibatch_steps(
    state: LearnerState, trajectory: Trajectory, key: jax.Array
  ) -> tuple[LearnerState, Step]:
    order_key, prepare_key, step_key = jax.random.split(key, 3)
    prepared = prepare(state, trajectory, forward(state.params, state, trajectory), prepare_key)
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
      state, done = gradient_step(state, part, fixed, key)
      return state, done.metrics

    steps = objective.epochs * objective.minibatches
    step_keys = jax.random.split(step_key, steps)
    state, history = jax.lax.scan(body, state, (order.reshape(steps, -1), step_keys))
    return state, Step(prepared, jax.tree.map(jnp.mean, history), ())

  def learn(state: LearnerState, trajectory: Trajectory, key: jax.Array) -> Learned:
    if objective.epochs == objective.minibatches == 1:
      # What is prepared comes from the forward pass of the one gradient step itself.
      state, done = gradient_step(state, trajectory, None, key)
    else:
      state, done = minibatch_steps(state, trajectory, key)
    updates = state.updates + 1
    new = state._replace(
      behaviour=optax.periodic_update(
        state.params, state.behaviour, updates, objective.behaviour_period
      ),
      bonus=done.prepared.bonus,
      updates=updates,
    )
    return Learned(new, done.metrics | done.prepared.metrics, done.priorities)

  def diagnose(state: LearnerState, trajectory: Trajectory) -> Metrics:
    # A few environments are enough, and keep the cost of the spectrum small.
    few = trajectory.observation[:, :32]
    return diagnostics.latent_diagnostics(model.encode(state.target_encoder, few))

  agent = Agent(
    init=init,
    initial_memory=initial_memory,
    act=act,
    learn=learn,
    variables=lambda state: Variables(
      state.behaviour, state.bonus.statistics, state.observation_moments
    ),
    diagnose=diagnose,
    intrinsic=intrinsic,
    data=DataSpec(config.unroll_length, config.batch_size, config.replay.spec()),
    beliefs=lambda state, trajectory: forward(state.params, state, trajectory).outputs.beliefs,
    gradient=lambda state, trajectory, key: jax.grad(loss, has_aux=True)(
      state.params, state, trajectory, None, key
    )[0],
    heads=lambda state, trajectory: forward(state.params, state, trajectory).view.out,
  )
  normalises = observation_normaliser.applies(config.normalise_observations, env)
  return observation_normaliser.wrap(agent, env) if normalises else agent


def _of_policy(params: Params) -> tuple[Any, Any]:
  """What the policy is read by: model and heads."""
  return params.policy_model or params.world_model, params.heads
