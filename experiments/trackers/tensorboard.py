"""TensorBoard: event files in the run folder, shown by `tensorboard --logdir runs`."""

from __future__ import annotations

from collections.abc import Sequence

import tensorboardX

from experiments.trackers.tracker import Row, Tracked, registry, values


@registry.register("tensorboard", summary="event files in the run folder")
class TensorBoard:
  """Writes event files, flushed with every interval of the log."""

  library, waits = "", True

  def __init__(self, settings: None, tracked: Tracked):
    self._folder = tracked.folder / "tensorboard"

  def open(self) -> None:
    self._board = tensorboardX.SummaryWriter(str(self._folder))

  def write(self, rows: Sequence[Row]) -> None:
    for row in rows:
      for name, value in values(row).items():
        self._board.add_scalar(name, value, row["step"])
    self._board.flush()

  def close(self) -> None:
    self._board.close()
