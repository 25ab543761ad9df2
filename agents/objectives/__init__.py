"""Reinforcement-learning objectives, one file each, behind agents/objectives/objective.py."""

from agents.objectives import ppo, vmpo
from agents.objectives.objective import Objective, registry

__all__ = ["Objective", "ppo", "registry", "vmpo"]
