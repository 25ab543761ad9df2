"""Zipf's Gridworld: find a named object where maps and targets follow a power law."""
