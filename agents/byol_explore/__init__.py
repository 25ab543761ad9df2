"""BYOL-Explore: curiosity-driven exploration by bootstrapped latent prediction."""

from agents.byol_explore.agent import build
from agents.byol_explore.config import ByolExploreConfig

__all__ = ["ByolExploreConfig", "build"]
