"""Hard exploration: small worlds in which undirected exploration takes exponential time."""

from envs.hard.deep_sea import DeepSea

__all__ = ["DeepSea"]
