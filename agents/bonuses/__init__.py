"""Exploration bonuses, one file each, behind the contract of agents/bonuses/bonus.py."""

from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.world_model.forecasts import Forecasts

__all__ = ["Bonus", "Context", "Forecasts", "Outputs", "registry"]
