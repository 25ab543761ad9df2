"""How each variant is drawn: by colour, line and marker, so that none rests on colour alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.markers import MarkerStyle

from experiments.evaluation.pictures import COLOURS

INK, GRID = "#1f2933", "#d9dee4"
"""Stand for the page's own colours of text and lines, which follow its light or dark mode."""
LINES: tuple[tuple[float, ...], ...] = ((), (4.0, 1.6), (1.2, 1.4))
"""Dashes, of the first variants, the next ones, and the next."""
MARKERS = "osD^vPX<>*phd"


@dataclasses.dataclass(frozen=True)
class Style:
  """One variant's: its index on the page, colour, dashes in points, and matplotlib marker."""

  index: int
  colour: str
  dashes: tuple[float, ...]
  marker: str

  def line(self) -> dict[str, Any]:
    """Arguments of matplotlib's `plot`."""
    return {
      "color": self.colour,
      "marker": self.marker,
      "markersize": 4,
      "markeredgewidth": 0,
      "dashes": self.dashes or (1, 0),
    }

  def swatch(self) -> Markup:
    """A piece of the line, as SVG."""
    marker = MarkerStyle(self.marker)
    outline = marker.get_path().transformed(marker.get_transform()).to_polygons()
    paths = "".join(
      "M" + "L".join(f"{15 + 8 * x:.1f} {6 - 8 * y:.1f}" for x, y in np.asarray(polygon))
      for polygon in outline
    )
    dashes = " ".join(f"{2 * dash:g}" for dash in self.dashes)
    colour = "currentColor" if self.colour == INK else self.colour
    return Markup(
      f'<svg class="swatch" viewBox="0 0 30 12" aria-hidden="true"><path d="M0 6H30"'
      f' stroke="{colour}" stroke-width="2.4" stroke-dasharray="{dashes}"/>'
      f'<path d="{paths}" fill="{colour}"/></svg>'
    )


def styles(variants: list[str], baseline: str | None) -> dict[str, Style]:
  """The style of every variant; the baseline's is the colour of text."""
  found = {}
  others = 0
  for index, variant in enumerate(variants):
    if variant == baseline:
      found[variant] = Style(index, INK, LINES[2], "o")
      continue
    found[variant] = Style(
      index,
      COLOURS[others % len(COLOURS)],
      LINES[others // len(COLOURS) % len(LINES)],
      MARKERS[(others + 1) % len(MARKERS)],
    )
    others += 1
  return found
