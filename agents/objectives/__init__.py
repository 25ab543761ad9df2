"""Reinforcement-learning objectives, one file each, behind agents/objectives/objective.py."""

from agents.objectives.objective import Context, Objective, ObjectiveConfig, registry

__all__ = ["Context", "Objective", "ObjectiveConfig", "registry"]
