"""Maps of an environment: where a bonus led, when, and what it paid on the way."""

from __future__ import annotations

import base64
import io
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from PIL import Image

WALL, NEVER = (176, 184, 193), (255, 255, 255)
"""Colours of places that cannot be reached, and of those that were not."""
LEVELS = 64
COLOURS, SIGNED = "viridis", "RdYlBu_r"
"""Scales from 0 up, and from below 0 to above, where 0 is pale yellow: told apart by the
colour-blind, and from WALL and NEVER."""


def gradient(colours: str) -> str:
  """The colours of a scale, from low to high, as a CSS gradient."""
  stops = matplotlib.colormaps[colours](np.linspace(0, 1, 7), bytes=True)[:, :3]
  return "linear-gradient(90deg," + ",".join(f"rgb({r},{g},{b})" for r, g, b in stops) + ")"


def picture(known: dict[str, Any], values: np.ndarray, colours: str = COLOURS) -> str:
  """A map in colours as a data URI, one pixel a place.

  Args:
    known: the map: rows, columns, reachable.
    values: [rows * columns], in [0, 1] from low to high; NaN for a place that has none.
    colours: of the scale.
  """
  reachable = np.asarray(known["reachable"], bool)
  levels = (np.clip(np.nan_to_num(values), 0, 1) * (LEVELS - 1)).round().astype(np.uint8) + 2
  levels = np.where(np.isfinite(values), levels, np.where(reachable, 1, 0)).astype(np.uint8)
  image = Image.fromarray(levels.reshape(known["rows"], known["columns"]), "P")
  scale = matplotlib.colormaps[colours](np.linspace(0, 1, LEVELS), bytes=True)[:, :3]
  image.putpalette(np.concatenate([[WALL, NEVER], scale]).astype(np.uint8).tobytes())
  png = io.BytesIO()
  image.save(png, "PNG", optimize=True)
  return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()


def visits(rows: list[dict[str, Any]]) -> np.ndarray:
  """Visits of every place in all seeds together, NaN for none; [P]."""
  total = np.sum([row["visits"] for row in rows], axis=0).astype(np.float64)
  return np.where(total > 0, total, np.nan)


def first_visits(rows: list[dict[str, Any]]) -> np.ndarray:
  """The step of the first visit, median over seeds, NaN where most never came; [P]."""
  steps = np.array([row["first_visit"] for row in rows], np.float64)
  median = np.median(np.where(steps < 0, np.inf, steps), axis=0)
  return np.where(np.isfinite(median), median, np.nan)


def paid(known: dict[str, Any], trajectory: dict[str, Any]) -> np.ndarray:
  """The mean bonus on coming to each place of a trajectory, NaN where it did not come; [P].

  To be put where a new episode begins is not to come there.
  """
  size = known["rows"] * known["columns"]
  real = np.asarray(trajectory.get("real", True)) & np.ones(len(trajectory["place"]), bool)
  places = np.asarray(trajectory["place"], int)[real]
  bonus = np.nan_to_num(np.asarray(trajectory["bonus"], np.float64))[real]
  count = np.bincount(places, minlength=size)
  with np.errstate(invalid="ignore"):
    return np.bincount(places, bonus, size) / count


def paid_picture(known: dict[str, Any], values: np.ndarray) -> str:
  """The map of what was paid: from 0 up, or if some is below 0, with 0 in the middle."""
  most = float(np.nanmax(np.abs(values), initial=0.0))
  if not (values < 0).any():
    return picture(known, scaled(values, most))
  return picture(known, 0.5 + 0.5 * scaled(values, most), SIGNED)


def scaled(values: np.ndarray, most: float) -> np.ndarray:
  """Values as shares of `most`."""
  return values / most if most > 0 else values * 0.0


def logarithmic(counts: np.ndarray, most: float) -> np.ndarray:
  """Counts from 1 to `most` as shares of its logarithm."""
  return np.log(counts) / np.log(max(most, 2.0))


def timeline(trajectory: dict[str, Any]) -> dict[str, Any]:
  """The bonus along a trajectory as SVG path data, in a box of T by 60; marks in one of T by 8.

  Returns:
    steps, least (0 or below), most, and zero, the height of 0; paths `bonus`, and `first` and
    `near_noise` where the trajectory has them.
  """
  bonus = np.nan_to_num(np.asarray(trajectory["bonus"], np.float64))
  least, most = float(np.min(bonus, initial=0.0)), float(np.max(bonus, initial=0.0))
  zero, *heights = 60 - 60 * scaled(np.concatenate([[0.0], bonus]) - least, most - least)
  drawn: dict[str, Any] = {
    "steps": len(bonus),
    "least": least,
    "most": most,
    "zero": f"{zero:.0f}",
    "bonus": Markup("M" + "L".join(f"{t} {height:.0f}" for t, height in enumerate(heights))),
  }
  for name in ("first", "near_noise"):
    if trajectory.get(name) is not None:
      drawn[name] = _runs(trajectory[name])
  return drawn


def _runs(flags: list[bool]) -> str:
  """Rectangles over the stretches where a flag is set, as SVG path data."""
  edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, int), [0]])))
  return "".join(
    f"M{begin} 0h{end - begin}v8h-{end - begin}z" for begin, end in edges.reshape(-1, 2)
  )
