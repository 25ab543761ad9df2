"""Planners, one file each, behind the contract of agents/planners/planner.py."""

from agents.planners.planner import Context, Model, Planner, registry

__all__ = ["Context", "Model", "Planner", "registry"]
