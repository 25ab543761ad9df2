"""Worlds with goals: what is to be seen is part of what is seen."""
