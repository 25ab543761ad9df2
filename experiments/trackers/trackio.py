"""Trackio, by its package: a database on this disk, or a Space that is named.

Source: the package's `trackio.init` and `Run.log`. It keeps to `TRACKIO_DIR`, and `trackio show`
opens it; a run that is resumed goes on as the same run.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence

from experiments.trackers.tracker import Row, Tracked, by_step, registry


@dataclasses.dataclass(frozen=True)
class TrackioConfig:
  """Trackio."""

  project: str = "rarebird"
  """Project that the run is filed under."""
  space: str = ""
  """Space to send it to, user/name; "" keeps it on this disk (trackio's default)."""


@registry.register("trackio", TrackioConfig, summary="Trackio, on this disk or in a Space")
class Trackio:
  """A run of Trackio."""

  library, waits = "trackio", False

  def __init__(self, settings: TrackioConfig, tracked: Tracked):
    self._settings, self._tracked = settings, tracked

  def open(self) -> None:
    trackio = importlib.import_module("trackio")
    self._run = trackio.init(
      project=self._settings.project,
      name=f"{self._tracked.name}-{self._tracked.id}",
      space_id=self._settings.space or None,
      config=self._tracked.config,
      resume="allow",
      embed=False,
      auto_log_gpu=False,
      auto_log_cpu=False,
    )

  def write(self, rows: Sequence[Row]) -> None:
    for step, metrics in by_step(rows).items():
      self._run.log(metrics, step=step)

  def close(self) -> None:
    self._run.finish()
