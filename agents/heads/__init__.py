"""Heads: what an agent reads from a belief."""
