"""Craftax (Matthews et al. 2024), an open world with achievements: functional, so it runs anywhere."""

from envs.craftax.symbolic import Craftax, classic, full

__all__ = ["Craftax", "classic", "full"]
