"""The contract between those who act and the one who learns: insert, sample, update priorities.

An item is the trajectory of one environment, an `agents.trajectory.Trajectory` without its batch
axis: arrays [T+1, ...] and the memory at its start [...]. A queue hands each item out once, in
order; a replay hands them out by chance, as often as its ratio of samples to inserts allows.
"""

from __future__ import annotations

import abc
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agents.trajectory import Trajectory


class Closed(Exception):
  """The experience was closed while someone waited on it; actors and learner then end."""


class Unavailable(Exception):
  """The server of the experience cannot be reached. One that was restarted is reached anew by a
  new `Experience`; what was on its way to the old one is lost."""


class Sample(NamedTuple):
  """A batch for the learner.

  Attributes:
    trajectory: arrays [T+1, B, ...], memory [B, ...].
    keys: uint64 [B], names of the items, for `update_priorities`.
    probabilities: float64 [B], the chance that the item had of being drawn; 1 from a queue.
  """

  trajectory: Trajectory
  keys: np.ndarray
  probabilities: np.ndarray


def checked_priorities(priorities: np.ndarray) -> np.ndarray:
  """The priorities as float64.

  Raises:
    ValueError: if one is negative, infinite or NaN.
  """
  priorities = np.asarray(priorities, np.float64)
  if not np.all(np.isfinite(priorities) & (priorities >= 0)):
    raise ValueError(f"priorities must be finite and not negative: {priorities}")
  return priorities


class Inserter(abc.ABC):
  """One actor's way in; used by one thread."""

  def wait(self) -> None:  # noqa: B027, most forms cannot tell
    """Waits until an unroll could be inserted at once, where that is known.

    Acting only then keeps on-policy data as young as can be.

    Raises:
      Closed: if it is closed meanwhile.
    """

  @abc.abstractmethod
  def insert(self, unroll: Trajectory) -> None:
    """Adds the E items of an unroll [T+1, E, ...]; each follows the one before it in its column.

    Consecutive unrolls overlap by their last and first entry. The arrays may be overwritten once
    this returns. Waits while the experience is full.

    Raises:
      Closed: if it is closed meanwhile.
      Unavailable: if its server is gone.
    """

  def close(self) -> None:  # noqa: B027, most forms have nothing under way
    """Flushes what is still under way."""


class Experience(abc.ABC):
  """Where trajectories wait for the learner. Every method may be called from any thread."""

  @abc.abstractmethod
  def inserter(self) -> Inserter:
    """A way in for one more actor."""

  @abc.abstractmethod
  def sample(self) -> Sample:
    """The next batch; waits until there is one.

    Raises:
      Closed: if it is closed meanwhile.
      Unavailable: if its server is gone.
    """

  @abc.abstractmethod
  def update_priorities(self, keys: np.ndarray, priorities: np.ndarray) -> None:
    """Sets the priorities [B] of items by their keys [B]; those gone meanwhile are skipped.

    Of a key that is given twice, the last priority counts. New items have priority 1.
    """

  @abc.abstractmethod
  def size(self) -> int:
    """Items held now."""

  def save(self, folder: Path) -> None:  # noqa: B027, most forms keep nothing
    """Saves the content of a replay, for the next in this folder to begin with.

    A server has been given its folder when it was started. Nobody inserts or samples meanwhile.
    """

  @abc.abstractmethod
  def close(self) -> None:
    """Wakes all who wait, who then raise Closed. May be called twice."""
