"""Pictures of a run: its learning curves as a PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter
from rich.console import Console

from envs.errors import RAISED, Failure
from experiments.runs.files import write_atomically
from experiments.runs.rows import Row, identity

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Of the splits, in turn: those of Okabe and Ito (2008), told apart by the colour-blind."""
GREY, LIGHT = "#666666", "#aaaaaa"
PANELS = {
  "bonus": "mean bonus",
  "byol_loss": "BYOL loss",
  "effective_rank": "effective rank",
  "entropy": "policy entropy (nats)",
}
"""Metrics drawn small beneath the scores, where a run has them."""
DPI = 200
LABEL_GAP = 0.06
"""Least distance of two labels, as a share of the height of the axes."""


def draw(console: Console, name: str, path: Path, write: Callable[[Path], Any]) -> None:
  """Writes a picture of what is done and says where it is; a failure costs that picture alone.

  Args:
    console: where one line is printed.
    name: of the picture.
    path: of the picture.
    write: draws it at a path, or returns False where there is nothing to draw, of which nothing is
      said; what it raises becomes the line.
  """
  try:
    if write(path) is False:
      return
    line = f"{name}: {path}"
  # Of every kind, for a user's own code may be in it, which may even exit.
  except RAISED as error:
    line = f"no {name}: {Failure.of(error)}"
  console.print(line, highlight=False, markup=False, soft_wrap=True)


# Learning curves


def series(rows: list[Row], name: str) -> tuple[np.ndarray, np.ndarray]:
  """Collects one metric: steps [N], ascending, and values [S, N], NaN where a seed has none.

  Rows without the metric, or where it is not finite, count as missing.
  """
  found = {
    (identity(row), row["step"]): row[name]
    for row in rows
    if math.isfinite(row.get(name, math.nan))
  }
  seeds = sorted({seed for seed, _ in found})
  steps = sorted({step for _, step in found})
  values = [[found.get((seed, step), math.nan) for step in steps] for seed in seeds]
  return np.array(steps, np.float64), np.array(values, np.float64).reshape(len(seeds), len(steps))


def score(rows: list[Row], refs: dict[str, Any]) -> str:
  """What measures a run: "success", or "return" where that is untold or the same throughout."""
  values = [row[name] for row in rows for name in row if name.endswith("/success")]
  references = [known["success"] for split in refs.values() for known in split.values() if known]
  values += [value for value in references if value is not None]
  return "success" if values and np.ptp(values) > 1e-6 else "return"


def spread(wanted: list[float], gap: float) -> list[float]:
  """Moves positions up to at least `gap` apart, then down again below 0.98, keeping their order."""
  placed = list(wanted)
  order = sorted(range(len(wanted)), key=lambda i: wanted[i])
  below, above = -math.inf, 0.98 + gap
  for i in order:
    placed[i] = below = max(placed[i], below + gap)
  for i in reversed(order):
    placed[i] = above = min(placed[i], above - gap)
  return placed


def write_curves(path: Path, rows: list[Row], refs: dict[str, Any], title: str = "") -> None:
  """Draws a run's learning curves, 1600 pixels wide, and puts them at `path` in one move.

  Above, the score of every split against environment steps, between random and optimal play: the
  mean over seeds, each seed thin, and the band from the worst seed to the best. Below, the metrics
  that tell whether bonus and world model are alive; one that is zero throughout is left out.

  Args:
    path: of the PNG.
    rows: of metrics.jsonl, in any order.
    refs: `evaluation.references`.
    title: a line above.
  """
  panels = {
    label: curve
    for name, label in PANELS.items()
    if np.any((curve := series(rows, name))[1])  # a bonus of `none` is zero throughout
  }
  figure = Figure(figsize=(8, 5.6 if panels else 4), facecolor="white", layout="constrained")
  grid = figure.add_gridspec(
    2 if panels else 1, max(len(panels), 1), height_ratios=(2.6, 1) if panels else None
  )
  scores = figure.add_subplot(grid[0, :])
  figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", parse_math=False)
  end = max((row["step"] for row in rows), default=1)
  _draw_scores(scores, rows, refs)
  _style(scores, end)
  for i, (label, curve) in enumerate(panels.items()):
    axes = figure.add_subplot(grid[1, i])
    _draw_curve(axes, *curve, "black", 1.2)
    _style(axes, end)
    axes.set_title(label, fontsize=8.5, loc="left")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.0), 1.05 * high)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_locator(MaxNLocator(3))
  write_figure(path, figure)


def write_figure(path: Path, figure: Figure) -> None:
  """Puts a figure at `path`, a PNG, in one move."""
  png = io.BytesIO()
  figure.savefig(png, format="png", dpi=DPI)
  write_atomically(path, png.getvalue())


def _style(axes: Axes, end: float) -> None:
  axes.set_xlim(0, 1.01 * end)
  axes.xaxis.set_major_formatter(EngFormatter(sep=""))
  axes.spines[["top", "right"]].set_visible(False)
  axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
  axes.set_axisbelow(True)
  axes.tick_params(labelsize=8.5, colors="#333333")


def _draw_curve(
  axes: Axes, steps: np.ndarray, values: np.ndarray, colour: str, width: float
) -> None:
  if len(values) > 1:
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(steps, values.T, color=colour, linewidth=0.6, alpha=0.45)
  # A curve of few points would be invisible, or look denser than it is, without its points.
  marker = "o" if len(steps) <= 12 else None
  mean = np.nanmean(values, axis=0)
  axes.plot(
    steps, mean, color=colour, linewidth=width, marker=marker, markersize=2 + width, clip_on=False
  )


def _draw_scores(axes: Axes, rows: list[Row], refs: dict[str, Any]) -> None:
  what = score(rows, refs)
  known = {"success": "success", "return": "episode_return"}[what]
  form = "{:.0%}" if what == "success" else "{:.3g}"
  steps, values = series(rows, f"episode/{what}")
  if len(steps):
    axes.plot(steps, np.nanmean(values, axis=0), color=LIGHT, linewidth=1)
  labels = []
  for i, (split, reference) in enumerate(refs.items()):
    colour = COLOURS[i % len(COLOURS)]
    # Dots of the splits alternate, for their optimal scores are often one and the same.
    styles = {"random": (0, (5, 3)), "optimal": (3 * i, (1.5, 3 * len(refs) - 1.5))}
    for kind, style in styles.items():
      if reference[kind]:
        axes.axhline(reference[kind][known], color=colour, linewidth=1.1, linestyle=style)
    steps, values = series(rows, f"eval/{split}/{what}")
    if len(steps):
      _draw_curve(axes, steps, values, colour, 2.2)
      last = float(np.nanmean(values[:, -1]))
      labels.append((last, f"{split} {form.format(last)}", colour))
  if what == "success":
    axes.set_ylim(-0.02, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
  low, high = axes.get_ylim()
  heights = spread([(last - low) / (high - low) for last, _, _ in labels], LABEL_GAP)
  for height, (_, text, colour) in zip(heights, labels, strict=True):
    axes.text(
      1.015,
      height,
      text,
      color=colour,
      fontsize=10,
      fontweight="bold",
      va="center",
      transform=axes.transAxes,
      parse_math=False,
    )
  axes.set_ylabel(what, fontsize=9)
  seeds = len({row["seed"] for row in rows})
  several = seeds > 1
  axes.set_xlabel("environment steps" + " of each seed" * several, fontsize=9)
  legend = {
    "agent" + f": mean and range of {seeds} seeds" * several: Line2D(
      [], [], color=GREY, linewidth=2.2
    ),
    "training episodes": Line2D([], [], color=LIGHT, linewidth=1),
    "random play": Line2D([], [], color=GREY, linewidth=1.1, linestyle=(0, (5, 3))),
  }
  if any(reference["optimal"] for reference in refs.values()):
    legend["optimal play"] = Line2D([], [], color=GREY, linewidth=1.1, linestyle=(0, (1.5, 1.5)))
  axes.legend(
    legend.values(),
    legend.keys(),
    loc="lower left",
    bbox_to_anchor=(-0.01, 1),
    ncols=len(legend),
    frameon=False,
    fontsize=8.5,
    borderaxespad=0.2,
    handlelength=1.8,
    columnspacing=1.4,
  )
