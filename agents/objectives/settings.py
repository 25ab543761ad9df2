"""The settings of all objectives, each under its name or that of its family."""

from __future__ import annotations

import dataclasses
from typing import Any

from agents.objectives.action_values import ActionValuesConfig
from agents.objectives.ppo import PPOConfig
from agents.objectives.sac import SACConfig
from agents.objectives.vmpo import VMPOConfig
from agents.objectives.vtrace import VTraceConfig

OVER_ACTION_VALUES = ("soft_q", "soft_pg", "pcl", "soft_retrace", "munchausen", "double_q")
"""Objectives that share the settings `action_values`."""


@dataclasses.dataclass(frozen=True)
class ObjectiveSettings:
  """Settings that single objectives have."""

  vmpo: VMPOConfig = dataclasses.field(default_factory=VMPOConfig)
  ppo: PPOConfig = dataclasses.field(default_factory=PPOConfig)
  vtrace: VTraceConfig = dataclasses.field(default_factory=VTraceConfig)
  sac: SACConfig = dataclasses.field(default_factory=SACConfig)
  action_values: ActionValuesConfig = dataclasses.field(default_factory=ActionValuesConfig)

  def of(self, objective: str) -> Any:
    """Those of an objective; None for one of the user's own."""
    return getattr(self, "action_values" if objective in OVER_ACTION_VALUES else objective, None)
