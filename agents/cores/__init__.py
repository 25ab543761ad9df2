"""Recurrent cores: from latents to beliefs."""
