"""Auxiliary losses, one file each, behind the contract of agents/auxiliaries/auxiliary.py."""

from agents.auxiliaries.auxiliary import (
  Auxiliary,
  AuxiliaryConfig,
  Context,
  Inputs,
  Outcomes,
  registry,
)

__all__ = ["Auxiliary", "AuxiliaryConfig", "Context", "Inputs", "Outcomes", "registry"]
