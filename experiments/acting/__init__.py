"""Where environments are stepped by policies."""
