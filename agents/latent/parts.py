"""The parts that an agent on the latent world model is put together from."""

from __future__ import annotations

from typing import Any, NamedTuple

from dm_env import specs

from agents import bonuses, objectives, observation_normaliser
from agents.agent import HasSpecs, Unmasked
from agents.bonuses import Bonus
from agents.heads.policies import Policy
from agents.latent.config import AgentConfig
from agents.latent.state import Params
from agents.objectives import Objective
from agents.optimisers import optimiser as optimisers
from agents.trajectory import DataSpec
from agents.world_model import world_model
from agents.world_model.world_model import WorldModel
from envs import observation
from envs.registry import AUTO


class Parts(NamedTuple):
  """What the functions of agents/latent are functions of; nothing here is learned.

  Attributes:
    config: the agent's settings.
    env: specs of the environment.
    model: the latent world model.
    objective: how policy and value improve.
    bonus: what is paid for exploring.
    optimiser: optax, over all parameters.
    normalises: whether observations are normalised by their running moments.
    with_table: whether the table of prediction errors is made, and its loss trains.
  """

  config: AgentConfig
  env: HasSpecs
  model: WorldModel
  objective: Objective
  bonus: Bonus
  optimiser: Any
  normalises: bool
  with_table: bool

  @property
  def data(self) -> DataSpec:
    """The data that the agent learns from."""
    config = self.config
    return DataSpec(config.unroll_length, config.batch_size, config.replay.spec())

  @property
  def policy(self) -> Policy:
    """The family of policies that acts."""
    return self.objective.policy


def build(config: AgentConfig, env: HasSpecs) -> Parts:
  """The parts for the specs of `env`.

  Raises:
    ValueError: if observations or actions are of a kind that the objective cannot take, its
      minibatches do not divide the batch, it cannot learn from a replay that is asked for or obeys
      no masks where there are some, or observations that are to be normalised are not floats.
  """
  actions = env.action_spec()
  observation.check_spec(env.observation_spec(), actions)
  model = world_model.build(config.world_model, env.observation_spec(), actions)
  objective = objectives.registry.build(
    config.objective,
    objectives.Context(actions, config.returns, config.head_hidden, config.head_layers),
  )
  if observation.legal(env.observation_spec()) is not None and objective.mask is None:
    raise ValueError(
      f"objective {config.objective.name!r} obeys no masks of actions: take another, or --env-args"
      " masks=ignored."
    )
  if config.batch_size % objective.minibatches:
    raise ValueError(
      f"batch_size is {config.batch_size}; it must be a multiple of the {objective.minibatches}"
      " minibatches."
    )
  if config.replay.replay_capacity and not objective.replays:
    raise ValueError(f"objective {config.objective.name!r} is on policy; give replay_capacity 0.")
  bonus = bonuses.registry.build(
    config.bonus,
    bonuses.Context(
      env if isinstance(env.observation_spec(), specs.Array) else Unmasked(env),
      config.payment.bonus_torso
      if config.payment.bonus_torso.name != AUTO
      else config.world_model.torso,
      config.world_model.latent_size,
      config.world_model.core_size,
      config.returns.discount,
      config.world_model.horizon,
    ),
  )
  return Parts(
    config,
    env,
    model,
    objective,
    bonus,
    optimisers.build(
      config.optimiser,
      config.learning_rate,
      config.dual_learning_rate,
      config.max_gradient_norm,
      Params("networks", "networks", "networks", "duals", "bonus"),
    ),
    observation_normaliser.applies(config.normalise_observations, env),
    bonus.reads_table or config.auxiliary == "byol",
  )
