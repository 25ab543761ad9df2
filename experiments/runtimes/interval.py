"""The log interval of a run: when it ends, when scores and checkpoints are due, and its rows."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from agents.trajectory import DataSpec
from experiments.runs import rows
from experiments.settings.train import TrainConfig, steps, steps_per_update


@dataclasses.dataclass(frozen=True)
class Interval:
  """What a run's config says of its log; updates are of one seed, from the beginning of the run."""

  config: TrainConfig
  data: DataSpec

  @property
  def total(self) -> int:
    """Updates of the whole run, whole intervals."""
    return self.config.rows(self.data) * self.config.log_updates

  def ends(self, updates: int) -> bool:
    """Whether an interval ends here."""
    return updates % self.config.log_updates == 0

  def scores(self, updates: int) -> bool:
    """Whether the policy is scored at the end of the interval that ends here."""
    due = updates // self.config.log_updates % self.config.eval_rows == 0
    return due or updates == self.total

  def saves(self, before: int, updates: int) -> bool:
    """Whether a checkpoint has become due since there were `before` updates."""
    every = self.config.checkpoint_rows * self.config.log_updates
    return updates // every > before // every

  def row(
    self, metrics: dict[str, Any], updates: int, steps_per_second: float, seed: int = 0
  ) -> rows.Row:
    """The row of the interval that ends here; see `rows.make`.

    Args:
      metrics: of the interval.
      updates: done.
      steps_per_second: environment steps of all seeds.
      seed: which of `TrainConfig.lanes`, that are trained side by side.

    Raises:
      Failed: at a number that is not finite, or huge; see `rows.check_finite`.
    """
    step = steps(self.data, updates)
    lane = self.config.lanes()[seed]
    row = rows.make(metrics, lane.seed, step, steps_per_second) | lane.numbers
    if lane.numbers:
      row["lane"] = seed
    rows.check_finite(row, self.config.env, steps(self.data, self.config.log_updates))
    return row


class Pace:
  """Environment steps a second of one seed, since this was made or asked last."""

  def __init__(self, data: DataSpec, updates: int):
    self._data, self._updates = data, updates
    self._since = time.monotonic()

  def take(self, updates: int) -> tuple[float, float]:
    """The rate, and the seconds that it is over."""
    now = time.monotonic()
    seconds, done = now - self._since, updates - self._updates
    self._since, self._updates = now, updates
    return done * steps_per_update(self._data) / seconds, seconds
