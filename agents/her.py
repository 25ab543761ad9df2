"""Agent `her`: hindsight experience replay, a baseline that is told what counts as reached.

Source: Andrychowicz et al. 2017 (arXiv 1707.01495).
"""

from __future__ import annotations

import dataclasses

from agents.agent import Kind, registry
from agents.goals.agent import build
from agents.goals.config import GoalAgentConfig, GoalsConfig
from agents.objectives import ObjectiveConfig


@dataclasses.dataclass(frozen=True)
class HERConfig(GoalAgentConfig):
  """Hindsight experience replay."""

  goals: GoalsConfig = dataclasses.field(
    default_factory=lambda: GoalsConfig(
      goals_from="environment",
      goals_pay="sparse",
      hindsight_share=0.8,
      walk_only_updates=0,
      walk_steps=0,
    )
  )
  returns: ObjectiveConfig = dataclasses.field(
    default_factory=lambda: ObjectiveConfig(discount=0.98)
  )
  """HER: .98."""


registry.register("her", summary="hindsight experience replay, with the environment's goals")(
  Kind(HERConfig, build)
)
