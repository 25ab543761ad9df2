"""Craftax (Matthews et al. 2024), an open world with achievements; a functional environment."""

from envs.craftax.symbolic import Craftax, craftax

__all__ = ["Craftax", "craftax"]
