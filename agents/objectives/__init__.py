"""Reinforcement-learning objectives, one file each, behind agents/objectives/objective.py."""

from agents.objectives import (
  double_q,
  munchausen,
  pcl,
  ppo,
  sac,
  soft_pg,
  soft_q,
  soft_retrace,
  vmpo,
  vtrace,
)
from agents.objectives.objective import Context, Objective, ObjectiveConfig, registry

__all__ = [
  "Context",
  "Objective",
  "ObjectiveConfig",
  "double_q",
  "munchausen",
  "pcl",
  "ppo",
  "registry",
  "sac",
  "soft_pg",
  "soft_q",
  "soft_retrace",
  "vmpo",
  "vtrace",
]
