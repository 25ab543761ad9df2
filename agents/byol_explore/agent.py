"""Agent `byol_explore`: V-MPO on the beliefs of a world model that pays for its own surprise.

Source: BYOL-Explore (Guo et al. 2022, arXiv 2206.08332). One loss,

  objective(extrinsic + weight * bonus) + byol_weight * BYOL loss + bonus loss,

whose gradients all reach the encoder and the closed loop.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import optax

from agents import bonuses, objectives
from agents.agent import Agent, DataSpec, HasSpecs, Metrics, Trajectory, registry
from agents.bonuses import BonusConfig, Outputs
from agents.networks import heads, policies
from agents.objectives import ObjectiveConfig
from agents.objectives.ppo import PPOConfig
from agents.objectives.vmpo import VMPOConfig
from agents.world_model import diagnostics, table, world_model
from agents.world_model.world_model import WorldModelConfig


@dataclasses.dataclass(frozen=True)
class ByolExploreConfig:
  """BYOL-Explore. Sources name the paper, arXiv 2206.08332, unless another is given."""

  bonus: str = "byol_explore"
  """What pays for exploring; `none` gives the plain agent. See `rarebird list bonuses`."""
  bonus_weight: float = 0.01
  """lambda, weight of the bonus beside the environment's reward (swept, 1e-4 to 1, recalled)."""
  auxiliary: Literal["byol", "none"] = "none"
  """`byol` trains the world model also where the bonus does not need it."""
  byol_weight: float = 1.0
  """Weight of the BYOL loss beside the objective's (1)."""
  normaliser_decay: float = 0.99
  """Decay of the bonus's running mean and variance, a batch a step (.99)."""
  clip_at_mean: bool = True
  """Pay only for above-average surprise (section 3.3)."""
  objective: str = "vmpo"
  """How policy and value improve. See `rarebird list objectives`."""
  learning_rate: float = 5e-4
  """Adam's step size (1e-4, for runs a thousand times longer)."""
  adam_epsilon: float = 1e-7
  """Adam's epsilon."""
  max_gradient_norm: float = 10.0
  """Gradients are scaled down to this global norm."""
  head_hidden: int = 256
  """Units of the hidden layer of the policy head and of the value head; 0 for none."""
  unroll_length: int = 16
  """T, transitions in a trajectory."""
  batch_size: int = 32
  """B, trajectories in an update; on_device, the environments stepped side by side."""
  world_model: WorldModelConfig = dataclasses.field(default_factory=WorldModelConfig)
  returns: ObjectiveConfig = dataclasses.field(default_factory=ObjectiveConfig)
  vmpo: VMPOConfig = dataclasses.field(default_factory=VMPOConfig)
  ppo: PPOConfig = dataclasses.field(default_factory=PPOConfig)

  def __post_init__(self) -> None:
    for name in ("unroll_length", "batch_size"):
      if getattr(self, name) < 1:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
    if not 0.0 <= self.normaliser_decay < 1.0:
      raise ValueError(f"normaliser_decay is {self.normaliser_decay}; it must lie in [0, 1).")


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
    bonus: the bonus's statistics.
    updates: int32, calls of `learn` so far.
  """

  params: Params
  behaviour: Params
  target_encoder: Any
  optimiser: Any
  bonus: Any
  updates: jax.Array


class Memory(NamedTuple):
  """What an environment carries while acting: the closed loop's state, the last action [B, *A]."""

  core: Any
  action: jax.Array


class Forward(NamedTuple):
  """What the networks make of a trajectory: policy [T+1, B, P], values [T+1, B], and the rest."""

  policy: jax.Array
  values: jax.Array
  outputs: Outputs


class Prepared(NamedTuple):
  """What is fixed before the gradient steps on a batch, with the parameters before them.

  Attributes:
    targets: the objective's, arrays [T, B, ...].
    statistics: the bonus's, after the batch.
    metrics: of the bonus.
  """

  targets: Any
  statistics: Any
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
    hk.transform(lambda belief: heads.PolicyValue(policy.size, config.head_hidden)(belief))
  )
  # An objective of the user's own, named module:Name, has no settings here and gets None.
  settings = getattr(config, config.objective, None)
  objective = objectives.registry.get(config.objective)(settings, config.returns, policy)
  if config.batch_size % objective.minibatches:
    raise ValueError(
      f"batch_size is {config.batch_size}; it must be a multiple of the {objective.minibatches}"
      " minibatches."
    )
  bonus = bonuses.registry.get(config.bonus)(
    BonusConfig(config.normaliser_decay, config.clip_at_mean)
  )
  with_table = bonus.reads_table or config.auxiliary == "byol"
  networks = optax.chain(
    optax.clip_by_global_norm(config.max_gradient_norm),
    optax.adam(config.learning_rate, eps=config.adam_epsilon),
  )
  optimiser = optax.multi_transform(
    {"networks": networks, "duals": optax.adam(config.vmpo.dual_learning_rate)},
    Params("networks", "networks", "duals", "networks"),
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
      bonus=statistics,
      updates=jnp.int32(0),
    )

  def initial_memory(batch: int) -> Memory:
    return Memory(model.initial_state(batch), policy.no_action(batch))

  def act(variables: Params, memory: Memory, timestep: Any, key: jax.Array, explore: bool):
    core = model.step(
      variables.world_model,
      model.encode(variables.world_model, timestep.observation),
      memory.action,
      timestep.first(),
      memory.core,
    )
    p, _ = head.apply(variables.heads, model.belief(core))
    sample = policy.sample(key, p) if explore else policy.mode(p)
    action = policy.action(sample)
    return action, {"policy": p, "sample": sample}, Memory(core, action)

  def forward(params: Params, state: LearnerState, trajectory: Trajectory) -> Forward:
    previous = jnp.concatenate([trajectory.memory.action[None], trajectory.action[:-1]])
    latents = model.encode(params.world_model, trajectory.observation)
    states = model.observe(
      params.world_model, latents, previous, trajectory.first, trajectory.memory.core
    )
    beliefs = model.belief(states)
    p, values = head.apply(params.heads, beliefs)
    errors = valid = None
    if with_table:
      # The ablation without stop-gradient has the online encoder as its target.
      targets = latents
      if config.world_model.stop_gradient:
        targets = model.encode(state.target_encoder, trajectory.observation)
      errors = model.errors(params.world_model, states, trajectory.action, targets)
      valid = table.valid_pairs(trajectory.first, config.world_model.horizon)
    return Forward(p, values, Outputs(beliefs, errors, valid))

  def prepare(state: LearnerState, trajectory: Trajectory, seen: Forward) -> Prepared:
    intrinsic, statistics, metrics = bonus.reward(
      state.params.bonus, state.bonus, trajectory, seen.outputs
    )
    rewards = trajectory.reward[1:] + config.bonus_weight * intrinsic
    mean = jnp.sum(intrinsic) / jnp.maximum(jnp.sum(trajectory.real), 1)
    return jax.lax.stop_gradient(
      Prepared(
        objective.prepare(seen.policy, seen.values, trajectory, rewards),
        statistics,
        metrics | {"bonus": mean},
      )
    )

  def loss(
    params: Params, state: LearnerState, trajectory: Trajectory, prepared: Prepared | None
  ) -> tuple[jax.Array, tuple[Prepared, Metrics]]:
    seen = forward(params, state, trajectory)
    if prepared is None:
      prepared = prepare(state, trajectory, seen)
    total, metrics = objective.loss(
      params.objective, seen.policy, seen.values, trajectory, prepared.targets
    )
    errors, valid = seen.outputs.errors, seen.outputs.valid
    if errors is not None and valid is not None:
      byol_loss = table.loss(errors, valid)
      total += config.byol_weight * byol_loss
      metrics["byol_loss"] = byol_loss
    total += bonus.loss(params.bonus, trajectory, seen.outputs)
    return total, (prepared, metrics | {"loss": total})

  def gradient_step(
    state: LearnerState, trajectory: Trajectory, prepared: Prepared | None
  ) -> tuple[LearnerState, Prepared, Metrics]:
    gradient, (prepared, metrics) = jax.grad(loss, has_aux=True)(
      state.params, state, trajectory, prepared
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
    prepared = prepare(state, trajectory, forward(state.params, state, trajectory))
    keys = jax.random.split(key, objective.epochs)
    batch = trajectory.reward.shape[1]
    order = jax.vmap(lambda key: jax.random.permutation(key, batch))(keys)

    def body(state: LearnerState, columns: jax.Array) -> tuple[LearnerState, Metrics]:
      def take(x: Any, axis: int) -> Any:
        return jax.tree.map(lambda x: jnp.take(x, columns, axis=axis), x)

      part = take(trajectory._replace(memory=()), 1)._replace(memory=take(trajectory.memory, 0))
      targets = prepared._replace(targets=take(prepared.targets, 1))
      state, _, metrics = gradient_step(state, part, targets)
      return state, metrics

    steps = objective.epochs * objective.minibatches
    state, history = jax.lax.scan(body, state, order.reshape(steps, -1))
    return state, prepared, jax.tree.map(jnp.mean, history)

  def learn(
    state: LearnerState, trajectory: Trajectory, key: jax.Array
  ) -> tuple[LearnerState, Metrics]:
    if objective.epochs == objective.minibatches == 1:
      # What is prepared comes from the forward pass of the one gradient step itself.
      state, prepared, metrics = gradient_step(state, trajectory, None)
    else:
      state, prepared, metrics = minibatch_steps(state, trajectory, key)
    updates = state.updates + 1
    new = state._replace(
      behaviour=optax.periodic_update(
        state.params, state.behaviour, updates, objective.behaviour_period
      ),
      bonus=prepared.statistics,
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
    variables=lambda state: state.behaviour,
    diagnose=diagnose,
    data=DataSpec(config.unroll_length, config.batch_size),
  )
