"""Agent `byol_explore`: V-MPO on the beliefs of a world model that pays for its own surprise.

Source: BYOL-Explore (Guo et al. 2022, arXiv 2206.08332).
"""

from __future__ import annotations

import dataclasses

from agents import bonuses
from agents.agent import Kind, registry
from agents.latent.agent import build
from agents.latent.config import AgentConfig
from envs.registry import Choice, choice_field


@dataclasses.dataclass(frozen=True)
class ByolExploreConfig(AgentConfig):
  """BYOL-Explore."""

  bonus: Choice = choice_field(bonuses.registry, "byol_explore")
  """What pays for exploring; `none` gives the plain agent. See `rarebird list bonuses`."""


registry.register("byol_explore", summary="V-MPO on a latent world model, paid by its surprise")(
  Kind(ByolExploreConfig, build)
)

__all__ = ["ByolExploreConfig", "build"]
