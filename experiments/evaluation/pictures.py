"""Pictures of a run: its learning curves as a PNG."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter
from rich.console import Console

from envs.errors import RAISED, Failure
from experiments.runs.files import write_atomically
from experiments.runs.rows import Row, identity
from experiments.settings import sweeps

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Of the splits, in turn: those of Okabe and Ito (2008), told apart by the colour-blind."""
GREY, LIGHT = "#666666", "#aaaaaa"
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.5, 1, 1.5)))
"""Of the splits, in turn, where colours tell what was swept."""
LEGEND_LETTERS = 100
"""That a row of the legend has room for."""
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


def combinations(rows: list[Row], sweep: Sequence[str]) -> dict[str, list[Row]]:
  """The rows of each combination of the numbers called so, by its name; of none, all by ""."""
  out: dict[str, list[Row]] = {}
  for row in rows:
    numbers = {name: row[name] for name in sweep}
    out.setdefault(sweeps.Lane(0, numbers).name, []).append(row)
  return out


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


def write_curves(
  path: Path,
  rows: list[Row],
  refs: dict[str, Any],
  title: str = "",
  sweep: Sequence[str] = (),
) -> None:
  """Draws a run's learning curves, 1600 pixels wide, and puts them at `path` in one move.

  Above, the score of every split against environment steps, between random and optimal play: the
  mean over seeds, each seed thin, and the band from the worst seed to the best. Below, the metrics
  that tell whether bonus and world model are alive; one that is zero throughout is left out. Of a
  sweep each combination has a curve and a colour, and the splits have dashes.

  Args:
    path: of the PNG.
    rows: of metrics.jsonl, in any order.
    refs: `evaluation.references`.
    title: a line above.
    sweep: names of the numbers that were swept.
  """
  groups = combinations(rows, sweep)
  panels = {
    label: name
    for name, label in PANELS.items()
    if np.any(series(rows, name)[1])  # a bonus of `none` is zero throughout
  }
  figure = Figure(figsize=(8, 5.6 if panels else 4), facecolor="white", layout="constrained")
  grid = figure.add_gridspec(
    2 if panels else 1, max(len(panels), 1), height_ratios=(2.6, 1) if panels else None
  )
  scores = figure.add_subplot(grid[0, :])
  figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", parse_math=False)
  end = max((row["step"] for row in rows), default=1)
  _draw_scores(scores, groups, refs)
  _style(scores, end)
  for i, (label, name) in enumerate(panels.items()):
    axes = figure.add_subplot(grid[1, i])
    lines = colours(len(groups)) if sweep else ["black"]
    for own, colour in zip(groups.values(), lines, strict=True):
      if len((curve := series(own, name))[0]):
        _draw_curve(axes, *curve, colour, 1.2)
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


def colours(count: int) -> list[Any]:
  """That tell so many curves apart."""
  if count <= len(COLOURS):
    return list(COLOURS[:count])
  return list(matplotlib.colormaps["viridis"](np.linspace(0.0, 0.92, count)))


def _draw_curve(
  axes: Axes,
  steps: np.ndarray,
  values: np.ndarray,
  colour: Any,
  width: float,
  dashes: Any = "-",
) -> None:
  if len(values) > 1:
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(steps, values.T, color=colour, linewidth=0.6, alpha=0.45)
  # A curve of few points would be invisible, or look denser than it is, without its points.
  marker = "o" if len(steps) <= 12 else None
  mean = np.nanmean(values, axis=0)
  axes.plot(
    steps, mean, color=colour, linewidth=width, linestyle=dashes, marker=marker,
    markersize=2 + width, clip_on=False,
  )  # fmt: skip


def _draw_scores(axes: Axes, groups: dict[str, list[Row]], refs: dict[str, Any]) -> None:
  rows, swept = [row for own in groups.values() for row in own], list(groups) != [""]
  what = score(rows, refs)
  known = {"success": "success", "return": "episode_return"}[what]
  form = "{:.0%}" if what == "success" else "{:.3g}"
  steps, values = series(rows, f"episode/{what}")
  if len(steps) and not swept:
    axes.plot(steps, np.nanmean(values, axis=0), color=LIGHT, linewidth=1)
  labels = []
  for i, (split, reference) in enumerate(refs.items()):
    colour = GREY if swept else COLOURS[i % len(COLOURS)]
    # Dots of the splits alternate, for their optimal scores are often one and the same.
    styles = {"random": (0, (5, 3)), "optimal": (3 * i, (1.5, 3 * len(refs) - 1.5))}
    for kind, style in styles.items():
      if reference[kind]:
        axes.axhline(reference[kind][known], color=colour, linewidth=1.1, linestyle=style)
    dashes = DASHES[i % len(DASHES)] if swept else "-"
    lines = colours(len(groups)) if swept else [colour]
    for own, line in zip(groups.values(), lines, strict=True):
      steps, values = series(own, f"eval/{split}/{what}")
      if len(steps):
        _draw_curve(axes, steps, values, line, 2.2, dashes)
        last = float(np.nanmean(values[:, -1]))
        labels.append((last, f"{split} {form.format(last)}", line))
  if what == "success":
    axes.set_ylim(-0.02, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
  low, high = axes.get_ylim()
  if len(labels) * LABEL_GAP > 1.0:  # of a large sweep: the legend has the names
    labels = []
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
  axes.set_xlabel("environment steps" + " of each seed" * (seeds > 1), fontsize=9)
  _draw_legend(axes, groups, refs, seeds)


def _draw_legend(
  axes: Axes, groups: dict[str, list[Row]], refs: dict[str, Any], seeds: int
) -> None:
  def line(colour: Any, width: float, dashes: Any = "-") -> Line2D:
    return Line2D([], [], color=colour, linewidth=width, linestyle=dashes)

  legend: dict[str, Line2D] = {}
  of_seeds = f": mean and range of {seeds} seeds" * (seeds > 1)
  if list(groups) == [""]:
    legend |= {"agent" + of_seeds: line(GREY, 2.2), "training episodes": line(LIGHT, 1)}
  else:
    lines = zip(groups, colours(len(groups)), strict=True)
    legend |= {name: line(colour, 2.2) for name, colour in lines}
    splits = zip(refs, itertools.cycle(DASHES), strict=False)
    legend |= {f"{split}{of_seeds}": line(GREY, 2.2, dashes) for split, dashes in splits}
  legend["random play"] = line(GREY, 1.1, (0, (5, 3)))
  if any(reference["optimal"] for reference in refs.values()):
    legend["optimal play"] = line(GREY, 1.1, (0, (1.5, 1.5)))
  columns = max(1, LEGEND_LETTERS // (6 + max(map(len, legend))))
  axes.legend(
    legend.values(),
    legend.keys(),
    loc="lower left",
    bbox_to_anchor=(-0.01, 1),
    ncols=len(legend) if list(groups) == [""] else columns,
    frameon=False,
    fontsize=8.5,
    borderaxespad=0.2,
    handlelength=1.8,
    columnspacing=1.4,
  )
