"""Encoder, belief, open-loop prediction, EMA targets, and the table of prediction errors."""
