"""Agent `reach`: finds out what can be reached, and learns to reach it, from no reward at all.

Source: Walk the Random Walk (Mezghani et al. 2022, arXiv 2206.11733), with the reward of GO-FRESH
(Mezghani et al. 2023, arXiv 2301.02099), which it makes while it plays.
"""

from __future__ import annotations

import dataclasses

from agents.agent import Kind, registry
from agents.goals.agent import build
from agents.goals.config import GoalAgentConfig


@dataclasses.dataclass(frozen=True)
class ReachConfig(GoalAgentConfig):
  """Walk the Random Walk."""


registry.register("reach", summary="goals of its own from a memory, paid by reachability")(
  Kind(ReachConfig, build)
)
