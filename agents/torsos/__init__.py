"""Torsos: from an observation to a latent."""
