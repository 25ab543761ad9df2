"""BYOL-Explore: curiosity-driven exploration by bootstrapped latent prediction."""

from agents.byol_explore.agent import ByolExploreConfig, build

__all__ = ["ByolExploreConfig", "build"]
