"""A tracker that never stops a run: in a thread where it may wait, and let go where it fails."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable, Sequence

from experiments.trackers.tracker import Row, Tracker

MOST_WAITING = 10_000
"""Calls of `write` that wait for a slow server; then it is let go."""
PATIENCE = 30.0
"""Seconds for which the end of a run waits for what is not sent yet."""


class Guarded:
  """Passes rows on to a tracker until it raises anything, which is told in one line."""

  def __init__(
    self, name: str, tracker: Tracker, tell: Callable[[str], None], patience: float = PATIENCE
  ):
    """Opens it.

    Args:
      name: of the tracker, for the line.
      tracker: not yet open.
      tell: takes the line.
      patience: seconds for which `close` waits.
    """
    self._name, self._tracker, self._tell, self._patience = name, tracker, tell, patience
    self._gone = False
    self._waiting: queue.Queue[Sequence[Row] | None] = queue.Queue(MOST_WAITING)
    self._thread: threading.Thread | None = None
    if tracker.waits:
      self._try(tracker.open)
    else:
      self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
      self._thread.start()

  def write(self, rows: Sequence[Row]) -> None:
    """Passes rows on, or leaves it where the tracker has failed."""
    if self._gone:
      return
    if self._thread is None:
      self._try(functools.partial(self._tracker.write, rows))
      return
    try:
      self._waiting.put_nowait(rows)
    except queue.Full:
      self._let_go(f"{MOST_WAITING:,} rows wait for it")

  def close(self) -> None:
    """Ends it; returns at the latest after `patience` seconds."""
    if self._gone:
      return
    if self._thread is None:
      self._try(self._tracker.close)
      return
    self._waiting.put(None)
    self._thread.join(self._patience)
    if self._thread.is_alive():
      self._let_go(f"it did not answer within {self._patience:g} seconds of the end")

  def _work(self) -> None:
    self._try(self._tracker.open)
    while not self._gone:
      rows = self._waiting.get()
      if rows is None:
        return self._try(self._tracker.close)
      self._try(functools.partial(self._tracker.write, rows))

  def _try(self, call: Callable[[], None]) -> None:
    try:
      call()
    except Exception as error:  # whatever another's library raises
      first = str(error).strip().partition("\n")[0]
      self._let_go(f"{type(error).__name__}: {first}")

  def _let_go(self, why: str) -> None:
    if not self._gone:
      self._gone = True
      self._tell(f"--log {self._name} is let go, the run goes on: {why}")
