"""Mazes of rooms without reward, with things in them that change lawfully or at random."""
