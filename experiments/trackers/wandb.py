"""Weights & Biases, by its package `wandb`: online, or to a folder that `wandb sync` sends later.

Source: docs.wandb.ai, `wandb.init` and `define_metric`. The x axis is `steps`, of one seed. A run
that is resumed goes on as the same run there; offline each resumption is a folder of its own, of
one id.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from typing import Literal

from experiments.trackers.tracker import Row, Tracked, by_step, registry


@dataclasses.dataclass(frozen=True)
class WandbConfig:
  """Weights & Biases."""

  project: str = "rarebird"
  """Project that the run is filed under."""
  entity: str = ""
  """User or team; "" takes the account's own (wandb's default)."""
  mode: Literal["online", "offline"] = "online"
  """offline writes to the run folder alone; `wandb sync` sends it when there is a network."""


@registry.register("wandb", WandbConfig, summary="Weights & Biases, online or offline")
class Wandb:
  """A run of Weights & Biases."""

  library, waits = "wandb", False

  def __init__(self, settings: WandbConfig, tracked: Tracked):
    self._settings, self._tracked = settings, tracked

  def open(self) -> None:
    wandb = importlib.import_module("wandb")
    settings, tracked = self._settings, self._tracked
    online = settings.mode == "online"
    if online and not wandb.api.api_key:
      # wandb would ask for it, and a run that nobody watches would wait.
      raise ValueError("no API key: `wandb login`, or --log.wandb.mode offline")
    self._run = wandb.init(
      project=settings.project,
      entity=settings.entity or None,
      id=tracked.id,
      name=tracked.name,
      config=tracked.config,
      dir=str(tracked.folder),
      mode=settings.mode,
      resume="allow" if online else None,
      settings=wandb.Settings(silent=True, console="off"),
    )
    self._run.define_metric("steps")
    self._run.define_metric("*", step_metric="steps")

  def write(self, rows: Sequence[Row]) -> None:
    for step, metrics in by_step(rows).items():
      self._run.log({"steps": step, **metrics})

  def close(self) -> None:
    self._run.finish()
