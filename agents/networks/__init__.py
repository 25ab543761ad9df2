"""Torsos (observation encoders), cores (memories) and heads."""
