"""Charts as inline SVG, small enough for a phone: learning curves, and values with intervals."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter

from experiments.report.statistics import Estimate
from experiments.report.styles import GRID, INK, Style

WIDTH = 3.9
"""Inches, at 72 points; a phone shows an inch as about 90 pixels."""
FONT = 9.5
REFERENCES = {"random": (5, 3), "optimal": (1.5, 2)}
"""Dashes of the lines of random and optimal play."""
RC: dict[Any, Any] = {
  "svg.fonttype": "none",
  "svg.hashsalt": "rarebird",
  "font.family": "sans-serif",
  "font.sans-serif": ["DejaVu Sans"],
  "text.parse_math": False,
  "text.color": INK,
  "axes.labelcolor": INK,
  "axes.labelsize": FONT,
  "axes.edgecolor": GRID,
  "xtick.color": GRID,
  "ytick.color": GRID,
  "xtick.labelcolor": INK,
  "ytick.labelcolor": INK,
  "xtick.labelsize": FONT,
  "ytick.labelsize": FONT,
}


class Curve(NamedTuple):
  """One variant's learning curve: steps [N], its mean over seeds at each, and the step at which
  half of the seeds had solved it, if they did."""

  style: Style
  steps: np.ndarray
  mean: Estimate
  solved: float | None = None


class Mark(NamedTuple):
  """One row of `forest`: a value with the ends of its whisker, NaN for none."""

  name: str
  style: Style
  value: float
  low: float
  high: float


def learning_curves(
  curves: Sequence[Curve],
  references: dict[str, float],
  end: float,
  label: str,
) -> Markup:
  """Draws means over seeds with their intervals, against environment steps, from 0% to 100%.

  Args:
    curves: in the order in which they cover one another.
    references: heights of horizontal lines, by the names in REFERENCES.
    end: last step of the axis.
    label: what the picture shows, for those who cannot see it.
  """
  with matplotlib.rc_context(RC):
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    axes = figure.add_subplot()
    for name, height in references.items():
      axes.axhline(height, color=INK, linewidth=0.9, linestyle=(0, REFERENCES[name]), alpha=0.75)
    for i, curve in enumerate(curves):
      # Markers of different variants stand at different places, or they would hide one another.
      every = max(len(curve.steps) // 5, 1)
      _draw_curve(axes, curve, ((i * every) // max(len(curves), 1), every))
      if curve.solved is not None:
        axes.plot(
          [curve.solved], [1.06], marker="v", markersize=7, color=curve.style.colour,
          linestyle="none", clip_on=False, gid=f"variant-{curve.style.index}",
        )  # fmt: skip
    axes.set_xlim(0, end)
    axes.set_ylim(-0.02, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("environment steps of each seed")
    _style(axes, "y")
    return _inline(figure, label, "curves")


def by_rank(curves: Sequence[Curve], random: np.ndarray | None, axis: str, label: str) -> Markup:
  """Draws means over seeds with their intervals against ranks, the `steps` of the curves.

  Args:
    curves: in the order in which they cover one another.
    random: random play at each rank; None where it is not known.
    axis: what is ranked.
    label: what the picture shows, for those who cannot see it.
  """
  with matplotlib.rc_context(RC):
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    axes = figure.add_subplot()
    if random is not None:
      ranks = np.arange(1, len(random) + 1)
      axes.plot(ranks, random, color=INK, linewidth=0.9, linestyle=(0, REFERENCES["random"]))
    for curve in curves:
      _draw_curve(axes, curve, markevery=1)
    # Shares are in [0, 1]; a score is below 0 where it is less than random play's.
    low = min([0.0, *(float(np.nanmin(curve.mean.value)) for curve in curves)])
    axes.set_ylim(max(low, -1.0) - 0.02, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel(axis)
    _style(axes, "y")
    return _inline(figure, label, "curves")


def _draw_curve(axes: Axes, curve: Curve, markevery: int | tuple[int, int]) -> None:
  """Draws a mean with its band, in the group that the page's chips bring forward."""
  gid, mean = f"variant-{curve.style.index}", curve.mean
  if np.isfinite(mean.low).any():
    axes.fill_between(
      curve.steps, mean.low, mean.high, color=curve.style.colour, alpha=0.1, linewidth=0, gid=gid
    )
  axes.plot(
    curve.steps, mean.value, linewidth=1.6, markevery=markevery, gid=gid, **curve.style.line()
  )


def forest(
  marks: Sequence[Mark], reference: float | None, axis: str, label: str, form: str = "{:.2f}"
) -> Markup:
  """Draws values with whiskers, one a row, the first on top, each written out beside it.

  Args:
    marks: the rows.
    reference: where a vertical line stands.
    axis: its name.
    label: what the picture shows, for those who cannot see it.
    form: of a number.
  """
  with matplotlib.rc_context(RC):
    figure = Figure(figsize=(WIDTH, 0.72 + 0.225 * len(marks)), layout="constrained")
    axes = figure.add_subplot()
    if reference is not None:
      axes.axvline(reference, color=INK, linewidth=0.9, linestyle=(0, (5, 3)), alpha=0.75)
    for row, mark in enumerate(marks):
      axes.plot([mark.low, mark.high], [row, row], color=mark.style.colour, linewidth=2.4)
      look = mark.style.line() | {"markersize": 6.5, "linestyle": "none"}
      axes.plot([mark.value], [row], **look)
    right = axes.secondary_yaxis("right")
    for side, texts in (
      (axes, [mark.name if len(mark.name) < 22 else f"…{mark.name[-20:]}" for mark in marks]),
      (right, [form.format(mark.value) for mark in marks]),
    ):
      side.set_yticks(range(len(marks)), texts)
      side.tick_params(axis="y", length=0)
    right.spines["right"].set_visible(False)
    axes.set_ylim(len(marks) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel(axis)
    _style(axes, "x")
    return _inline(figure, label, "forest")


def _style(axes: Axes, grid: str) -> None:
  axes.spines[["top", "right"]].set_visible(False)
  axes.grid(axis=grid, color=GRID, linewidth=0.7)  # type: ignore[arg-type]
  axes.set_axisbelow(True)


def _inline(figure: Figure, label: str, kind: str) -> Markup:
  """A figure as SVG to stand in a page: no addresses, no ids that are not used, page's colours."""
  text = io.StringIO()
  figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
  svg = text.getvalue()
  svg = svg[svg.index("<svg") :]
  svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
  svg = (
    re.sub(r' (?:xmlns(?::\w+)?|version|width|height)="[^"]*"', "", svg[: svg.index(">")])
    + (svg[svg.index(">") :])
  )
  svg = svg.replace("xlink:href", "href")
  used = set(re.findall(r'(?:href="|url\()#([^")]+)', svg))
  svg = re.sub(r'<g id="(variant-\d+)"', r'<g class="\1"', svg)
  svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)
  svg = re.sub(r"\n\s*", "\n", svg.replace(INK, "var(--ink)").replace(GRID, "var(--grid)"))
  return Markup(
    svg.replace("<svg", f'<svg class="chart {kind}" role="img" aria-label="{escape(label)}"', 1)
  )
