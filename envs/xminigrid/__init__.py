"""XLand-MiniGrid (Nikulin et al. 2023), MiniGrid's gridworlds in JAX; functional environments."""

from envs.xminigrid.symbolic import XMiniGrid, xminigrid

__all__ = ["XMiniGrid", "xminigrid"]
