"""What is known of a maze of points, drawn over its walls: visits, and a graph of places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from agents.agent import Agent
from agents.offline import graph as offline_graph
from envs.goals.point_maze import PointMaze
from experiments.evaluation.pictures import COLOURS, LIGHT, write_figure


def floor(axes: Axes, maze: PointMaze, title: str) -> None:
  """Walls, and the limits and the title of the axes."""
  rows, columns = maze.walls.blocked.shape
  shade = np.where(maze.walls.blocked[..., None], (0.75, 0.75, 0.75, 1.0), (0.0, 0.0, 0.0, 0.0))
  axes.imshow(shade, extent=(0, columns, rows, 0), interpolation="nearest", zorder=3)
  axes.set(title=title, xticks=[], yticks=[], xlim=(0, columns), ylim=(rows, 0), aspect="equal")
  axes.title.set_fontsize(10)


def visits(axes: Axes, maze: PointMaze, seen: np.ndarray, nodes: np.ndarray) -> None:
  """Places [P, 2] as points, and those of the M states in the memory [M, 2] as dots."""
  axes.plot(*seen.T, ",", color=LIGHT, zorder=1)
  axes.plot(*nodes.T, "o", ms=4, color=COLOURS[0], zorder=4)
  floor(axes, maze, f"visits, and the {len(nodes)} states in the memory")


def edges(
  figure: Figure,
  axes: Axes,
  maze: PointMaze,
  nodes: np.ndarray,
  ends: np.ndarray,
  lengths: np.ndarray,
  teleports: np.ndarray,
) -> None:
  """Edges `ends` [K, 2] between nodes [M, 2], by their true lengths [K]; teleports [K] apart."""
  plain = LineCollection(list(nodes[ends[~teleports]]), array=lengths[~teleports], zorder=4, lw=1.2)
  axes.add_collection(plain)
  axes.add_collection(
    LineCollection(list(nodes[ends[teleports]]), colors=COLOURS[1], lw=2.5, zorder=5)
  )
  figure.colorbar(plain, ax=axes, shrink=0.7, label="true length, cells")
  flagged = f"{teleports.sum()} teleports, in orange" if teleports.any() else "no teleports"
  floor(axes, maze, f"{len(ends)} edges, {flagged}")


def write_memory(path: Path, env: Any, agent: Agent, learner_state: Any) -> bool:
  """Draws an agent's goal memory, its walks and its graph; a PNG at `path`.

  Args:
    path: of the PNG.
    env: what was learned in.
    agent: who learned.
    learner_state: what was learned.

  Returns:
    Whether there was something to draw: an agent with a memory of goals, and a maze of places.
  """
  goal_map = agent.probe and agent.probe.goal_map
  if not goal_map or not isinstance(env, PointMaze) or env.pixels:
    return False
  known = jax.device_get(goal_map(learner_state))
  held = np.flatnonzero(known.held)
  if len(held) < 2:
    return False
  place = jax.jit(jax.vmap(env.position))
  views = jnp.asarray(known.nodes[held])
  nodes = np.asarray(place(views))
  ends = np.argwhere(known.edges[np.ix_(held, held)])
  lengths = np.asarray(jax.jit(jax.vmap(env.distance))(views[ends[:, 0]], views[ends[:, 1]]))
  teleports = offline_graph.teleports(lengths, offline_graph.TELEPORT_FACTOR)
  figure = Figure(figsize=(8.6, 3.8), layout="constrained")
  left, right = figure.subplots(1, 2)
  visits(left, env, np.asarray(place(known.visited[known.filled])), nodes)
  edges(figure, right, env, nodes, ends, lengths, teleports)
  write_figure(path, figure)
  return True
