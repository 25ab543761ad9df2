"""What was found in a maze, drawn: visits and nodes, the graph, what steps pay, and success.

Of worlds whose views are places in a plane (`position` of envs/goals/point_maze.py); of others,
success by distance alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from agents.reachability.reward import shaped
from envs.goals.goal_environment import GoalEnvironment
from envs.goals.point_maze import PointMaze
from experiments.evaluation import maze_pictures
from experiments.evaluation.pictures import COLOURS, GREY, write_figure
from experiments.offline.discovery import Discovery
from experiments.offline.stage_files import Result

VISITS = 20_000
"""Observations that are shown."""
FINENESS = 6
"""Points a cell, each way, at which the reward is shown."""


def write(
  path: Path,
  env: GoalEnvironment,
  discovery: Discovery,
  nodes: Result | None,
  graph: Result | None,
  bands: list[dict[str, Any]],
) -> None:
  """Draws a run's picture and puts it at `path`, a PNG, in one move.

  Args:
    path: of the PNG.
    env: what was learned in.
    discovery: the networks.
    nodes, graph: the results of their stages; None of an algorithm without them.
    bands: `scores.bands`.
  """
  maze = env if isinstance(env, PointMaze) and not env.pixels and nodes and graph else None
  figure = Figure(figsize=(8.6, 7.4) if maze else (4, 3.4), layout="constrained")
  if maze and nodes and graph:
    axes = figure.subplots(2, 2)
    at = _positions(maze, discovery, nodes.arrays["rows"])
    total = int(discovery.firsts[-1])
    some = np.linspace(0, total - 1, min(VISITS, total)).astype(np.int64)
    maze_pictures.visits(axes[0, 0], maze, _positions(maze, discovery, some), at)
    edges = np.concatenate([graph.arrays["pairs"], graph.arrays["joined"]])
    lengths, teleports = graph.arrays["lengths"], graph.arrays["teleports"]
    maze_pictures.edges(figure, axes[0, 1], maze, at, edges, lengths, teleports)
    _rewards(figure, axes[1, 0], maze, discovery, nodes, graph)
    _success(axes[1, 1], bands)
  else:
    _success(figure.subplots(), bands)
  write_figure(path, figure)


def _positions(maze: PointMaze, discovery: Discovery, rows: np.ndarray) -> np.ndarray:
  """Where stored observations are, [P, 2]."""
  return np.asarray(jax.vmap(maze.position)(jnp.asarray(discovery.dataset.observation[rows])))


def _rewards(
  figure: Figure,
  axes: Axes,
  maze: PointMaze,
  discovery: Discovery,
  nodes: Result,
  graph: Result,
) -> None:
  """What arriving anywhere pays, towards the node that is farthest from where episodes begin."""
  own, rows = discovery.config.buffer, nodes.arrays["rows"]
  begin = maze.view(jnp.asarray(divmod(maze.start_cell, maze.world.columns)[::-1]) + 0.5)
  views = jnp.asarray(discovery.dataset.observation[rows])
  ways = np.asarray(jax.vmap(maze.distance, (None, 0))(begin, views))
  goal = int(np.argmax(np.where(np.isfinite(ways), ways, -1.0)))

  free = np.argwhere(~maze.walls.blocked)[:, None, None, ::-1]
  offsets = (np.stack(np.meshgrid(*[np.arange(FINENESS)] * 2), -1) + 0.5) / FINENESS
  points = (free + offsets).reshape(-1, 2).astype(np.float32)
  marks = discovery.features_of(np.asarray(jax.vmap(maze.view)(jnp.asarray(points))))
  wanted = np.broadcast_to(nodes.arrays["features"][goal], marks.shape)
  distance = graph.arrays["distance"][discovery.nearest_of(discovery.memory(nodes), marks), goal]
  pays = shaped(
    jnp.asarray(discovery.logits(marks, wanted)),
    jnp.asarray(distance, jnp.float32),
    discovery.temperature,
    own.edge_cost,
    own.closeness_weight,
  )
  shown = axes.scatter(points[:, 0], points[:, 1], 5, np.asarray(pays), marker="s", zorder=1)
  axes.plot(*np.asarray(maze.position(views[goal])), "*", ms=14, color=COLOURS[1], zorder=5)
  figure.colorbar(shown, ax=axes, shrink=0.7, label="reward of a step that ends there")
  maze_pictures.floor(axes, maze, "reward on the way to the farthest state")


def _success(axes: Axes, bands: list[dict[str, Any]]) -> None:
  known = [band for band in bands if band["success"]]
  middle = [(band["from"] + band["to"]) / 2 for band in known]
  width = 0.8 * (bands[0]["to"] - bands[0]["from"])
  mean, low, high = (np.array([band["success"][i] for band in known]) for i in range(3))
  axes.bar(middle, mean, width, color=COLOURS[0])
  axes.errorbar(middle, mean, np.stack([mean - low, high - mean]), fmt="none", ecolor=GREY)
  axes.set(ylim=(0, 1), xlabel="true length of the way to the goal")
  axes.set_title("goals reached, with 95% intervals", fontsize=10)
  axes.yaxis.set_major_formatter(PercentFormatter(1.0))
  axes.spines[["top", "right"]].set_visible(False)
