"""Zipf's Gridworld: find a named object where maps and targets follow a power law."""

from envs.zipf.gridworld import ZipfGridworld
from envs.zipf.symbolic import ZipfGridworldSymbolic

__all__ = ["ZipfGridworld", "ZipfGridworldSymbolic"]
