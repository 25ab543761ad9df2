"""Reinforcement-learning objectives, one file each, behind agents/objectives/objective.py."""

from agents.objectives import ppo, vmpo
from agents.objectives.objective import Objective, ObjectiveConfig, registry

__all__ = ["Objective", "ObjectiveConfig", "ppo", "registry", "vmpo"]
