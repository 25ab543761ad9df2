"""Exploration bonuses, one file each, behind the contract of agents/bonuses/bonus.py."""

from agents.bonuses import byol_explore, none
from agents.bonuses.bonus import Bonus, BonusConfig, Outputs, registry

__all__ = ["Bonus", "BonusConfig", "Outputs", "byol_explore", "none", "registry"]
