"""Draws curves.png and offline.png from the data beside this file: `python plot.py`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from experiments.evaluation.pictures import COLOURS, GREY, series, write_figure

HERE = Path(__file__).parent
AGENTS = {"reach": "reach", "visited": "random goals", "rare": "Skew-Fit's goals", "her": "her"}
ALGORITHMS = ("fresh", "reachability", "her", "her_uniform", "actionable")
SPLITS = {"uniform": "all goals", "far": "the farthest third"}


def tidy(axes: Axes, top: float = 1.1) -> None:
  axes.set_ylim(0, top)
  axes.yaxis.set_major_formatter(PercentFormatter(1.0))
  axes.spines[["top", "right"]].set_visible(False)
  axes.grid(axis="y", color="#eeeeee")
  axes.set_axisbelow(True)


def curves(worlds: list[str]) -> Figure:
  """Success against steps: the mean over seeds, and each seed thin."""
  rows = [json.loads(line) for line in (HERE / "curves.jsonl").read_text("utf-8").splitlines()]
  figure = Figure(figsize=(8, 2.6 * len(worlds)), layout="constrained")
  grid = figure.subplots(len(worlds), 2, sharex=True, squeeze=False)
  for panels, world in zip(grid, worlds, strict=True):
    for axes, (split, title) in zip(panels, SPLITS.items(), strict=True):
      for colour, (name, label) in zip(COLOURS, AGENTS.items(), strict=False):
        own = [row for row in rows if row["run"] == f"{world}-{name}"]
        steps, values = series(own, f"eval/{split}/success")
        if not len(values):
          continue
        axes.plot(steps, values.T, color=colour, linewidth=0.6, alpha=0.5)
        axes.plot(steps, np.nanmean(values, axis=0), color=colour, linewidth=2, label=label)
      axes.set_title(f"{world}: {title}", loc="left", fontsize=10)
      axes.xaxis.set_major_formatter(EngFormatter(sep=""))
      tidy(axes)
    panels[0].legend(frameon=False, fontsize=8, loc="upper left")
  for axes in grid[-1]:
    axes.set_xlabel("environment steps of a seed", fontsize=9)
  return figure


def offline(worlds: list[str]) -> Figure:
  """Success at the end of each algorithm: bars are means, dots are seeds, the line random play."""
  results = json.loads((HERE / "offline.json").read_text("utf-8"))
  figure = Figure(figsize=(8, 2.6 * len(worlds)), layout="constrained")
  for panels, world in zip(figure.subplots(len(worlds), 2, squeeze=False), worlds, strict=True):
    top = 0.0
    for axes, (split, title) in zip(panels, SPLITS.items(), strict=True):
      for place, name in enumerate(ALGORITHMS):
        scored = [results.get(f"{world}-{name}-seed{seed}") for seed in range(3)]
        found = [x["evaluation"]["splits"][split]["success"][0] for x in scored if x]
        if not found:
          continue
        top = max(top, *found)
        axes.bar(place, np.mean(found), color=COLOURS[0] if name == "fresh" else "#bbbbbb")
        axes.plot([place] * len(found), found, "o", color="black", markersize=3)
        at = dict(xytext=(0, 5), textcoords="offset points", ha="center", fontsize=8)
        axes.annotate(f"{np.mean(found):.0%}", (place, max(found)), **at)
      known = results[f"{world}-fresh-seed0"]["evaluation"]["random"][split]["random"]["success"]
      axes.axhline(known, color=GREY, linestyle=":", linewidth=1, label="random play")
      axes.set_xticks(range(len(ALGORITHMS)), ALGORITHMS, fontsize=7)
      axes.set_title(f"{world}: {title}", loc="left", fontsize=10)
    for axes in panels:
      tidy(axes, 1.25 * top)
    panels[0].legend(frameon=False, fontsize=8, loc="upper right")
  return figure


if __name__ == "__main__":
  write_figure(HERE / "curves.png", curves(["u_maze", "four_rooms"]))
  write_figure(HERE / "offline.png", offline(["u_maze", "pusher"]))
