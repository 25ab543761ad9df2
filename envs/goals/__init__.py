"""Worlds with goals: what is to be seen is part of what is seen."""

from envs.goals.point_maze import PointMaze
from envs.goals.pusher import Pusher
from envs.goals.reacher import Reacher

__all__ = ["PointMaze", "Pusher", "Reacher"]
