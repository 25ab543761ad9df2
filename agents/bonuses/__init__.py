"""Exploration bonuses, one file each, behind the contract of agents/bonuses/bonus.py."""

from agents.bonuses.bonus import Bonus, Context, Forecasts, Outputs, registry

__all__ = ["Bonus", "Context", "Forecasts", "Outputs", "registry"]
