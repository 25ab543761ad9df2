"""Holding a file or a folder among processes; a lock goes with its process, however that ends."""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path
from typing import Any


def _module(name: str) -> Any:
  try:
    return importlib.import_module(name)
  except ImportError:
    return None


_fcntl, _msvcrt = _module("fcntl"), _module("msvcrt")  # of Unix, and of Windows


class FileLock:
  """Holds a file, which is made if need be, or a folder that there is, until `close`."""

  def __init__(self, path: Path):
    """Takes it.

    Raises:
      BlockingIOError: if another process holds it.
      OSError: if it cannot be opened.
    """
    self._descriptor: int | None = None
    if path.is_dir() and _fcntl is None:
      return  # Windows opens no folder, and lets nobody remove a file in one that is still written.
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags, 0o666)
    try:
      _take(descriptor, alone=True)
    except OSError:
      os.close(descriptor)
      raise
    self._descriptor = descriptor

  def close(self) -> None:
    """Lets it go; may be called twice."""
    if self._descriptor is not None:
      os.close(self._descriptor)
      self._descriptor = None


def is_held(path: Path) -> bool:
  """Whether a process holds the file; False where there is none."""
  try:
    descriptor = os.open(path, os.O_RDONLY)
  except FileNotFoundError:
    return False
  with contextlib.closing(os.fdopen(descriptor)):
    try:
      _take(descriptor, alone=False)
    except BlockingIOError:
      return True
  return False


def _take(descriptor: int, alone: bool) -> None:
  if _fcntl is not None:
    _fcntl.flock(descriptor, (_fcntl.LOCK_EX if alone else _fcntl.LOCK_SH) | _fcntl.LOCK_NB)
  elif _msvcrt is not None:
    try:
      _msvcrt.locking(descriptor, _msvcrt.LK_NBLCK, 1)
    except OSError as error:
      raise BlockingIOError(error.errno, error.strerror) from error
