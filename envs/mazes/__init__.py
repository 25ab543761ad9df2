"""Mazes of rooms without reward, with things in them that change lawfully or at random."""

from envs.mazes.five_rooms import FiveRooms
from envs.mazes.nine_rooms import NineRooms

__all__ = ["FiveRooms", "NineRooms"]
