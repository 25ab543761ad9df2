"""Craftax (Matthews et al. 2024), an open world with achievements; a functional environment."""
