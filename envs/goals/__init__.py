"""Worlds with goals: what is to be seen is part of what is seen."""

from envs.goals.point_maze import PointMaze

__all__ = ["PointMaze"]
