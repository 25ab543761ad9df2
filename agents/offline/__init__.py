"""Goals from a dataset: GO-FRESH's stages, as pure functions."""
