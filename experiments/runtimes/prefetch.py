"""Batches made ready in a thread of their own while the learner works on the one before."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Iterator
from typing import Any


class Prefetch(Iterator[Any]):
  """Calls `produce` in a thread and hands its results out in order, `depth` ahead at most.

  With depth 0 it is called only once someone waits for its result. What `produce` raises, `next`
  raises once the results before it are taken.
  """

  def __init__(self, produce: Callable[[], Any], depth: int = 1):
    self._produce, self._depth = produce, depth
    self._ready: collections.deque[Any] = collections.deque()
    self._error: BaseException | None = None
    self._closed = False
    self._waiting = False
    self._changed = threading.Condition()
    self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)
    self._thread.start()

  def _run(self) -> None:
    try:
      while True:
        with self._changed:
          self._changed.wait_for(
            lambda: self._closed or len(self._ready) < max(self._depth, self._waiting)
          )
          if self._closed:
            return
        result = self._produce()
        with self._changed:
          self._ready.append(result)
          self._changed.notify_all()
    except BaseException as error:
      with self._changed:
        self._error = error
        self._changed.notify_all()

  def wait(self, timeout: float) -> bool:
    """Waits up to `timeout` seconds; whether `next` would now return or raise at once."""
    with self._changed:
      self._waiting = True
      self._changed.notify_all()
      return self._changed.wait_for(lambda: bool(self._ready or self._error), timeout)

  def __next__(self) -> Any:
    with self._changed:
      self._waiting = True
      self._changed.notify_all()
      self._changed.wait_for(lambda: self._ready or self._error)
      if not self._ready:
        assert self._error is not None
        raise self._error
      result = self._ready.popleft()
      self._waiting = False
      self._changed.notify_all()
      return result

  def close(self) -> None:
    """Ends the thread; what `produce` waits on must have been closed before."""
    with self._changed:
      self._closed = True
      self._changed.notify_all()
    self._thread.join()
