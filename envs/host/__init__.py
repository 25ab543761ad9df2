"""Environments on the host: Atari, MiniGrid, any gymnasium or dm_env environment, a user's own.

The libraries behind them are imported when an environment is made.
"""
