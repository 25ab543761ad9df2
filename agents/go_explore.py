"""Agent `go_explore`: goes back to kept states, explores from there, practises the best ways.

Source: Go-Explore (Ecoffet et al. 2019, arXiv 1901.10995; 2021, Nature 590:580), with the backward
algorithm of Salimans & Chen 2018 (arXiv 1812.03381).
"""

from __future__ import annotations

from agents.agent import Kind, registry
from agents.archive.agent import build
from agents.archive.config import GoExploreConfig

registry.register("go_explore", summary="goes back to kept states, explores, practises the way")(
  Kind(GoExploreConfig, build, revisits=True)
)

__all__ = ["GoExploreConfig", "build"]
