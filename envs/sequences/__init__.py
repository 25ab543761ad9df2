"""Sequences of items and labels."""
