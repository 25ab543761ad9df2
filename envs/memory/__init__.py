"""Worlds that ask at their end for what was shown at their beginning, of any length."""
