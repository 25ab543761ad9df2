"""Run folders that are handed on: what is in one, its card, and what is looked at on taking it."""
