"""Exploration bonuses, one file each, behind the contract of agents/bonuses/bonus.py."""

from agents.bonuses import (
  byol_explore,
  byol_hindsight,
  counts,
  disagreement,
  e3b,
  icm,
  ndigo,
  ngu,
  none,
  oracle_counts,
  re3,
  recode,
  rnd,
)
from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.world_model.forecasts import Forecasts

__all__ = [
  "Bonus",
  "Context",
  "Forecasts",
  "Outputs",
  "byol_explore",
  "byol_hindsight",
  "counts",
  "disagreement",
  "e3b",
  "icm",
  "ndigo",
  "ngu",
  "none",
  "oracle_counts",
  "re3",
  "recode",
  "registry",
  "rnd",
]
