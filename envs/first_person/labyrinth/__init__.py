"""Zipf's Labyrinth: thirty kinds of levels in one world, of which some are rare."""
