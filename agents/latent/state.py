"""What an agent on the latent world model learns, acts by, and carries while acting."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from agents.bonuses.payment import BonusState


class Params(NamedTuple):
  """All that gradients reach.

  Attributes:
    world_model: of the world model.
    policy_model: an encoder and a closed loop for the policy; () where it reads the world model's.
    heads: of the objective.
    duals: dual variables of the objective, such as temperatures.
    bonus: of the bonus's own networks.
    auxiliaries: of each auxiliary loss's own networks, by its name.
  """

  world_model: Any
  policy_model: Any
  heads: Any
  duals: Any
  bonus: Any
  auxiliaries: Any

  @property
  def of_policy(self) -> tuple[Any, Any]:
    """What the policy is read by: model and heads."""
    return self.policy_model or self.world_model, self.heads


class Hyper(NamedTuple):
  """Numbers that may be turned without compiling anew, float32 scalars.

  Attributes:
    learning_rate: of the networks, before its schedule.
    dual_learning_rate: of the dual variables.
    bonus_weight: lambda, of the intrinsic rewards beside the environment's.
    value_weight: of the value loss.
    entropy_weight: of the policy's entropy.
    discount: gamma.
    intrinsic_discount: gamma of the intrinsic rewards, where they have a value of their own.
    auxiliary_weights: of each auxiliary loss, by its name.
  """

  learning_rate: jax.Array
  dual_learning_rate: jax.Array
  bonus_weight: jax.Array
  value_weight: jax.Array
  entropy_weight: jax.Array
  discount: jax.Array
  intrinsic_discount: jax.Array
  auxiliary_weights: dict[str, jax.Array]


class LearnerState(NamedTuple):
  """All that is learned and shared.

  Attributes:
    params: the online parameters.
    behaviour: the copy that acts.
    target_encoder: moving average of the online encoder.
    target: moving average of what the policy is read by, for the objective's targets; () if it has
      none.
    hyper: numbers that may be turned.
    optimiser: optax state.
    bonus: what the bonus keeps.
    auxiliaries: what each auxiliary loss keeps, by its name.
    updates: int32, calls of `learn` so far.
    observation_moments: running moments of the observations; () where they are not normalised.
  """

  params: Params
  behaviour: Params
  target_encoder: Any
  target: Any
  hyper: Hyper
  optimiser: Any
  bonus: BonusState
  auxiliaries: dict[str, Any]
  updates: jax.Array
  observation_moments: Any = ()


class Variables(NamedTuple):
  """What acting needs of the learner state.

  Attributes:
    params: the copy that acts.
    statistics: the bonus's.
    observation_moments: as of the learner state.
    discount: gamma, which planners read.
    updates: int32, calls of `learn` so far, for schedules.
  """

  params: Params
  statistics: Any
  observation_moments: Any
  discount: Any
  updates: jax.Array


class Memory(NamedTuple):
  """What an environment carries while acting.

  Attributes:
    core: the closed loop's state.
    policy_core: that of the policy's own model; () where it reads the world model.
    action: the last one, [B, *A].
    bonus: the bonus's episodic memory.
    planner: the planner's memory, which no trajectory keeps.
    env: the environment's state, while acting with a planner that plans with it, else ().
  """

  core: Any
  policy_core: Any
  action: jax.Array
  bonus: Any
  planner: Any = ()
  env: Any = ()


def variables(state: LearnerState) -> Variables:
  """What acting needs."""
  return Variables(
    state.behaviour,
    state.bonus.statistics,
    state.observation_moments,
    state.hyper.discount,
    state.updates,
  )
