"""How long a comparison still takes, from what its parts have taken so far."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable
from typing import Literal

Kind = Literal["tuning", "run"]


@dataclasses.dataclass
class Part:
  """A batch of trials or a cell.

  Attributes:
    kind: which.
    variant, env: of which cell.
    rows: points of the curve to train for.
    done: of these.
    timed: of these, in this process.
    seconds: of training that those took.
    wall: seconds since it began, in this process.
    finished: whether all is done, measuring too.
  """

  kind: Kind
  variant: str
  env: str
  rows: int
  done: int = 0
  timed: int = 0
  seconds: float = 0.0
  wall: float = 0.0
  finished: bool = False

  @property
  def other(self) -> float:
    """Seconds so far of all but training: compiling, saving, measuring."""
    return self.wall - self.seconds


class Foreseen:
  """How long a cell will take, from the first points of its curve that are timed.

  Attributes:
    minutes: of the whole curve; 0 before any point was timed.
    too_long: whether that is more than it may take.
  """

  def __init__(
    self,
    rows: int,
    most: float,
    told: Callable[[int, float], None],
    say: Callable[[float], None],
  ):
    """`rows` points of the curve may take `most` minutes, 0 for any; `told` is watched on, and the
    minutes are said as soon as they are known."""
    self._rows, self._most, self._told, self._say = rows, most, told, say
    self.minutes, self.too_long = 0.0, False

  def watch(self, done: int, seconds: float) -> None:
    """See `runner.Watch`."""
    self._told(done, seconds)
    if seconds and not self.minutes:
      self.minutes = seconds * (self._rows - done + 1) / 60
      self._say(self.minutes)
      self.too_long = 0 < self._most < self.minutes


def share(parts: list[Part]) -> float:
  """Share of all points of all curves that is done."""
  return sum(part.done for part in parts) / max(sum(part.rows for part in parts), 1)


def seconds_left(parts: list[Part]) -> float | None:
  """Seconds for what is left; None before anything has been timed.

  A point costs what it did in the same cell, else in the same environment, else anywhere, in the
  mean; all else costs what it did in the parts of the same kind that are finished, else of any.
  """
  timed = [part for part in parts if part.timed]
  if not timed:
    return None

  def pace(part: Part) -> float:
    env = [p for p in timed if p.env == part.env]
    same = [p for p in env if p.variant == part.variant] or env or timed
    return sum(p.seconds for p in same) / sum(p.timed for p in same)

  def other(part: Part) -> float:
    known = [p for p in parts if p.finished and p.timed]
    same = [p for p in known if p.kind == part.kind] or known
    return statistics.fmean(p.other for p in same) if same else 0.0

  return sum(
    pace(part) * (part.rows - part.done) + max(other(part) - part.other, 0.0)
    for part in parts
    if not part.finished
  )
