"""Recipes: settings that were found for a world, kept as data beside what they reached.

One TOML file each, named as the recipe; see `experiments.settings.recipes`.
"""
