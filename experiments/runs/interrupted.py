"""Asking a run to stop, by Ctrl-C, a signal or a file."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import Any

from experiments.runs.run_folder import Folder


class Interrupted:
  """Turns the first Ctrl-C or SIGTERM, or `rarebird stop`, into a request to stop and save."""

  def __init__(self, folder: Folder) -> None:
    self._folder = folder
    self._signalled = False

  def requested(self) -> bool:
    """Whether the run should stop."""
    return self._signalled or self._folder.stop_requested()

  @contextlib.contextmanager
  def listening(self) -> Iterator[None]:
    def request(number: int, frame: Any) -> None:
      if self._signalled:
        raise KeyboardInterrupt
      self._signalled = True
      print("\nstopping and saving; Ctrl-C again stops at once", file=sys.stderr)

    old = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
      yield
    finally:
      for number, handler in old.items():
        signal.signal(number, handler)
