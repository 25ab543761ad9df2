"""Errors that are told to a person in one line, and where the rest of them is kept."""

from __future__ import annotations

import contextlib
import difflib
import errno
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from envs.errors import RAISED, EnvironmentFailed, Failure, own_frame, raised_by_us

LOG = "errors.log"
"""In the run folder: the tracebacks of what is told in one line."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""Errors of a disk, which are nobody's code's."""


class UserError(Exception):
  """What was wrong, where, and what to do, in one line; the command line prints it and exits 2."""


def unknown(what: str, name: str, known: Sequence[str], otherwise: str) -> UserError:
  """Of a name that there is not: the nearest of those `known`, or else what to do."""
  near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
  hint = f"did you mean {' or '.join(near)}?" if near else otherwise
  return UserError(f"unknown {what} {name!r}: {hint}")


class Failed(UserError):
  """Work under way cannot go on: somebody's code raised, or what it gave cannot be learned from.

  Attributes:
    traceback: whole, from whichever thread, process or machine it is of; empty where the message
      says all. `reported` keeps it.
  """

  def __init__(self, message: str, traceback: str = ""):
    super().__init__(message)
    self.traceback = traceback

  @classmethod
  def by(cls, who: str, failure: Failure) -> Failed:
    """The failure of `who`, such as "actor 0"; of nobody in particular where that is empty."""
    return cls(f"{who}: {failure}" if who else str(failure), failure.traceback)


@contextlib.contextmanager
def failing(who: str = "", libraries: bool = False) -> Iterator[None]:
  """Within it, what a person's own code raises is a `Failed` of `who`; bugs of ours stay as they
  are. So does what is raised in a library with no code of theirs on the way to it, unless
  `libraries`."""
  try:
    yield
  except RAISED as error:
    ours = isinstance(error, UserError) or getattr(error, "errno", None) in NO_ROOM
    theirs = isinstance(error, EnvironmentFailed) or own_frame(error) is not None
    if ours or not (theirs or (libraries and not raised_by_us(error))):
      raise
    raise Failed.by(who, Failure.of(error)) from error


@contextlib.contextmanager
def reported(folder: Path | None = None) -> Iterator[None]:
  """Within it, the traceback of a `Failed` is kept, and the message says where, and what is left.

  Args:
    folder: of the run under way, whose errors.log is appended to; without one, a new temporary
      file is written.

  Raises:
    UserError: in place of the `Failed`.
  """
  try:
    yield
  except Failed as error:
    told = str(error)
    if error.traceback:
      try:
        where = _keep(folder, f"{told}\n{error.traceback.rstrip()}\n\n")
        told = f"{told.rstrip('.')}; the whole traceback is in {where}."
      except OSError as refused:  # a full disk must not hide what happened
        told = f"{told.rstrip('.')}; its traceback cannot be written ({refused.strerror})."
    if folder is not None and _has_checkpoint(folder):
      told = f"{told.rstrip('.')}. The last checkpoint is kept; the same command resumes from it."
    raise UserError(told) from error


def _has_checkpoint(folder: Path) -> bool:
  """Whether a run has a whole one: those being written have longer names."""
  return any(path.name.isdigit() for path in (folder / "checkpoints").glob("*"))


def _keep(folder: Path | None, text: str) -> Path:
  text = f"{datetime.now().isoformat(timespec='seconds')} {text}"
  if folder is None:
    with tempfile.NamedTemporaryFile(
      "w",
      prefix="rarebird-",
      suffix=f"-{LOG}",
      delete=False,
      encoding="utf-8",
      errors="backslashreplace",
    ) as file:
      file.write(text)
    return Path(file.name)
  with open(folder / LOG, "a", encoding="utf-8", errors="backslashreplace") as log:
    log.write(text)
  return folder / LOG
