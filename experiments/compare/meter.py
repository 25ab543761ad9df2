"""The progress bar of a whole comparison."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, TextColumn

from experiments.commands.terminal import Bar
from experiments.compare import remaining
from experiments.compare.remaining import Part
from experiments.compare.runner import Watch

NAME_WIDTH = 44
"""Of what is under way, so that the line fits 80 columns."""


class Meter:
  """Shows what is under way, the share that is done, and the time that is left."""

  def __init__(self, parts: list[Part], console: Console):
    self._parts = parts
    self._progress = Bar(
      TextColumn("{task.description}"),
      BarColumn(bar_width=None),
      TextColumn("{task.percentage:>3.0f}%"),
      TextColumn("{task.fields[left]}"),
      console=console,
    )
    self._task = self._progress.add_task("", total=1.0, left="")

  @contextlib.contextmanager
  def showing(self) -> Iterator[None]:
    with self._progress:
      yield

  @contextlib.contextmanager
  def timing(self, part: Part) -> Iterator[Watch]:
    """Gives what is to be told of the progress of a part, and takes its time."""
    begun = time.monotonic()

    def watch(done: int, seconds: float) -> None:
      part.done, part.wall = done, time.monotonic() - begun
      if seconds:
        part.timed, part.seconds = part.timed + 1, part.seconds + seconds
      self.show(part)

    yield watch
    part.wall = time.monotonic() - begun

  def say(self, text: str) -> None:
    """Prints a line above the bar, as it is."""
    self._progress.console.print(text, highlight=False, markup=False, soft_wrap=True)

  def show(self, part: Part) -> None:
    """Brings the line up to date; `part` is under way."""
    name = f"{'tuning ' if part.kind == 'tuning' else ''}{part.variant} in {part.env}"
    left = remaining.seconds_left(self._parts)
    self._progress.update(
      self._task,
      description=name if len(name) <= NAME_WIDTH else name[: NAME_WIDTH - 3] + "...",
      completed=remaining.share(self._parts),
      left="" if left is None else f"{_clock(left)} left",
    )


def _clock(seconds: float) -> str:
  minutes, seconds = divmod(int(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return f"{hours}:{minutes:02}:{seconds:02}"
