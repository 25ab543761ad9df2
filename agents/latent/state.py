"""What an agent on the latent world model learns, acts by, and carries while acting."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from agents.bonuses.payment import BonusState


class Params(NamedTuple):
  """All that gradients reach; `policy_model` is () where the policy reads the world model."""

  world_model: Any
  policy_model: Any
  heads: Any
  duals: Any
  bonus: Any

  @property
  def of_policy(self) -> tuple[Any, Any]:
    """What the policy is read by: model and heads."""
    return self.policy_model or self.world_model, self.heads


class LearnerState(NamedTuple):
  """All that is learned and shared.

  Attributes:
    params: the online parameters.
    behaviour: the copy that acts.
    target_encoder: moving average of the online encoder.
    target: moving average of what the policy is read by, for the objective's targets; () if it has
      none.
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


def variables(state: LearnerState) -> Variables:
  """What acting needs."""
  return Variables(state.behaviour, state.bonus.statistics, state.observation_moments)
