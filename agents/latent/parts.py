"""The parts that an agent on the latent world model is put together from."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from dm_env import specs

from agents import auxiliaries, bonuses, objectives, observation_normaliser, planners
from agents.agent import NOTHING_GIVEN, Given, HasSpecs, Unmasked
from agents.auxiliaries import Auxiliary
from agents.bonuses import Bonus
from agents.heads.policies import Policy
from agents.latent.config import AgentConfig
from agents.latent.state import Params
from agents.objectives import Objective
from agents.optimisers import optimiser as optimisers
from agents.planners import Planner
from agents.trajectory import DataSpec
from agents.world_model import world_model
from agents.world_model.world_model import WorldModel
from envs import observation
from envs.environment import Environment
from envs.registry import AUTO, Choice

LABELS = Params("networks", "networks", "networks", "duals", "bonus", "auxiliaries")
"""What the optimiser calls each part of the parameters."""


class Weighted(NamedTuple):
  """An auxiliary loss, and its weight beside the objective's before it is turned."""

  method: Auxiliary
  weight: float


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
    auxiliaries: the auxiliary losses, by name.
    planner: what improves the policy while it acts.
    length: of the run in updates, for schedules; 0 where nobody told.
  """

  config: AgentConfig
  env: HasSpecs
  model: WorldModel
  objective: Objective
  bonus: Bonus
  optimiser: Any
  normalises: bool
  auxiliaries: dict[str, Weighted]
  planner: Planner
  length: int = 0

  @property
  def with_forecasts(self) -> bool:
    """Whether the world model's forecasts are made, and their errors."""
    read = any(chosen.method.reads_forecasts for chosen in self.auxiliaries.values())
    return read or self.objective.reads_imagined

  def share(self, updates: jax.Array) -> jax.Array:
    """How much of the run is done after so many updates, float32 in [0, 1]; 0 where nobody told how
    long it is."""
    return jnp.minimum(updates / max(self.length, 1), 1.0) * (self.length > 0)

  @property
  def read_size(self) -> int:
    """Numbers that the heads read: those of a belief, and of the bonus's condition."""
    condition = self.bonus.condition
    return self.config.world_model.core_size + (condition.size if condition else 0)

  @property
  def data(self) -> DataSpec:
    """The data that the agent learns from."""
    return self.config.data

  @property
  def policy(self) -> Policy:
    """The family of policies that acts."""
    return self.objective.policy


def build(config: AgentConfig, env: HasSpecs, given: Given = NOTHING_GIVEN) -> Parts:
  """The parts for the specs of `env`.

  Raises:
    ValueError: if observations or actions are of a kind that the objective or the planner cannot
      take, there is nothing that learns, the planner reads values that there are not, the
      objective's minibatches do not divide the batch, it cannot learn from a replay that is asked
      for or obeys no masks where there are some, or observations that are to be normalised are not
      floats.
  """
  actions = env.action_spec()
  observation.check_spec(env.observation_spec(), actions)
  model = world_model.build(config.world_model, env.observation_spec(), actions, config.compute)
  objective = objectives.registry.build(
    config.objective,
    objectives.Context(
      actions, config.returns, config.head_hidden, config.head_layers, config.compute
    ),
  )
  if observation.legal(env.observation_spec()) is not None and objective.mask is None:
    raise ValueError(
      f"objective {config.objective.name!r} obeys no masks of actions: take another, or --env-args"
      " masks=ignored."
    )
  if config.schedule.needs_length and not given.updates:
    raise ValueError(
      f"learning_rate_schedule is {config.schedule.learning_rate_schedule}, with a warm-up of"
      f" {config.schedule.learning_rate_warm_up:g}, but how long the run is was not told; give"
      " constant and 0."
    )
  if config.batch_size % objective.minibatches:
    raise ValueError(
      f"batch_size is {config.batch_size}; it must be a multiple of the {objective.minibatches}"
      " minibatches."
    )
  if config.replay.replay_capacity and not objective.replays:
    raise ValueError(f"objective {config.objective.name!r} is on policy; give replay_capacity 0.")
  if config.returns.streams > 1 and not objective.separates:
    raise ValueError(
      f"objective {config.objective.name!r} learns one value; give value_streams sum, or another"
      " objective."
    )
  seen = env if isinstance(env.observation_spec(), specs.Array) else Unmasked(env)
  bonus = bonuses.registry.build(
    config.bonus,
    bonuses.Context(
      seen,
      config.payment.bonus_torso
      if config.payment.bonus_torso.name != AUTO
      else config.world_model.torso,
      config.world_model.latent_size,
      config.world_model.core_size,
      config.returns.discount,
      config.world_model.horizon,
    ),
  )
  planner = choose_planner(config, objective, bonus, env)
  normalises = observation_normaliser.applies(config.normalise_observations, env)
  batch_size = config.batch_size // objective.minibatches
  context = auxiliary_context(config, env, batch_size, model, normalises)._replace(
    teacher=given.teacher, stored=given.stored
  )
  needs = (*bonus.needs, *planner_needs(planner, objective))
  chosen = choose_auxiliaries(config.auxiliary, needs, context)
  if not objective.learns:
    _check_learned_beside(config.objective.name, objective.taught, chosen)
  return Parts(
    config,
    env,
    model,
    objective,
    bonus,
    optimisers.build(config.optimiser, config.max_gradient_norm, LABELS),
    normalises,
    chosen,
    planner,
    given.updates,
  )


def _check_learned_beside(objective: str, taught: bool, chosen: dict[str, Weighted]) -> None:
  """Raises ValueError where nothing learns beside an objective that does not, or a loss cannot."""
  if not chosen:
    raise ValueError(
      f"objective {objective!r} trains nothing by itself: give --auxiliary byol, or another of"
      " `rarebird list auxiliaries`."
    )
  teachers = [name for name, auxiliary in chosen.items() if auxiliary.method.shapes_policy]
  if teachers and not taught:
    raise ValueError(
      f"auxiliary {teachers[0]!r} teaches a policy, and objective {objective!r} has none to teach;"
      " give --objective.taught, or another objective."
    )
  if taught and not teachers:
    raise ValueError(
      f"objective {objective!r} is to have a policy that is taught, and nothing teaches one: give"
      " --auxiliary policy_kl, kd, or classify with --auxiliary.classify.reads policy."
    )


def choose_planner(
  config: AgentConfig, objective: Objective, bonus: Bonus, env: HasSpecs
) -> Planner:
  """The planner that was chosen.

  Raises:
    ValueError: one line, if it does not fit the actions, reads values that the agent lacks, or
      the bonus has the policy read more than beliefs.
  """
  name, horizon = config.planner.name, config.world_model.horizon
  context = planners.Context(env.action_spec(), objective.policy, horizon)
  planner = planners.registry.build(config.planner, context)
  if planner.plan is None and objective.reads_imagined:
    raise ValueError(
      f"objective {config.objective.name!r} learns what a planner plans, and there is none: give"
      " --planner mcts, or for continuous actions cem or mppi."
    )
  if planner.reads_bonus and objective.expected_bonus is None:
    raise ValueError(
      f"planner {name!r}: bonus is true, but objective {config.objective.name!r} does not learn"
      " what a bonus pays: take --objective muzero, or --planner.bonus false."
    )
  if planner.true_model:
    _check_true_model(name, config, objective, planner, env)
  if planner.plan is not None and bonus.condition is not None:
    raise ValueError(
      f"planner {name!r} reads policies of beliefs alone, and bonus {config.bonus.name!r} has them"
      " read more: take another bonus, or --planner none."
    )
  if planner.reads_values and objective.expected_return is None:
    raise ValueError(
      f"planner {name!r} reads values of states, which objective {config.objective.name!r} does not"
      " learn: take another, such as vmpo or soft_q, or --planner none."
    )
  if planner.reads_values and not config.share_encoder:
    raise ValueError(
      f"planner {name!r} reads values of what the world model imagines, so the policy must read"
      " its beliefs: leave share_encoder on, or take --planner none."
    )
  return planner


def _check_true_model(
  name: str, config: AgentConfig, objective: Objective, planner: Planner, env: HasSpecs
) -> None:
  """Raises ValueError, one line, where a planner cannot plan with the environment itself."""
  if not isinstance(env, Environment):
    raise ValueError(
      f"planner {name!r}: model true goes on from the environment's state, which this one does not"
      " give: take an environment in JAX, or --planner.model learned."
    )
  if planner.reads_bonus:
    raise ValueError(
      f"planner {name!r}: the true model does not say what a bonus pays; give --planner.bonus false"
      " or --planner.model learned."
    )
  if objective.reanalyses:
    raise ValueError(
      f"planner {name!r}: no trajectory keeps the states that model true would plan anew from; give"
      f" --objective {config.objective.name} --objective.reanalyse 0, or --planner.model learned."
    )


def planner_needs(planner: Planner, objective: Objective) -> tuple[str, ...]:
  """The auxiliary losses that a planner needs; heads that learn on imagined beliefs can be read
  from them without `consistency`."""
  without = ("consistency",) if objective.reads_imagined else ()
  return tuple(name for name in planner.needs if name not in without)


def auxiliary_context(
  config: AgentConfig, env: HasSpecs, batch_size: int, model: WorldModel, normalises: bool
) -> auxiliaries.Context:
  """What auxiliary losses are built for; `batch_size` is that of a gradient step."""
  spec, sizes = env.observation_spec(), config.world_model
  return auxiliaries.Context(
    env if isinstance(spec, specs.Array) else Unmasked(env),
    sizes.latent_size,
    sizes.core_size,
    sizes.horizon,
    config.unroll_length,
    batch_size,
    observation.classes(spec),
    model.stochastic,
    normalises,
    config.compute,
  )


def choose_auxiliaries(
  choices: tuple[Choice, ...], needs: tuple[str, ...], context: auxiliaries.Context
) -> dict[str, Weighted]:
  """Those that were chosen, and those that are needed.

  Raises:
    ValueError: one line, if one does not fit the environment, the networks or the data.
  """
  registry = auxiliaries.registry
  chosen = {choice.name: choice for choice in choices}
  chosen = {name: registry.choice(name) for name in needs} | chosen
  found = {
    name: Weighted(
      registry.build(choice, context), getattr(registry.settings_of(choice), "weight", 1.0)
    )
    for name, choice in chosen.items()
  }
  if context.teacher is not None and not any(one.method.reads_teacher for one in found.values()):
    raise ValueError(
      "nothing learns from the teacher that was given: give --auxiliary crd, kd or policy_kl."
    )
  return found
