"""What code of a person's own raised, as plain text that crosses threads, pipes and machines."""

from __future__ import annotations

import linecache
import os
import re
import sysconfig
import traceback
import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple

PACKAGES = ("envs", "agents", "experiments")
"""Ours: a frame in one of them is not a person's own code."""
LONGEST = 500
"""Characters of a message that are told; all of it is in the traceback."""

RAISED = (Exception, SystemExit, GeneratorExit)
"""What code of a person's own may raise and is told; KeyboardInterrupt is Ctrl-C."""

_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x1f\x7f-\x9f]")
"""Colours and other control characters, which would reach the terminal."""
_LIBRARIES = tuple(
  os.path.realpath(path) + os.sep
  for path in {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


class Failure(NamedTuple):
  """An exception as plain strings; `str` is one line for a person.

  Attributes:
    what: that failed, such as "environment 'mine:Maze' (number 3) failed"; may be empty.
    kind: the exception's type; empty where the message, being ours, says all.
    message: on one line. Of an exception without one, the line of code that raised it.
    where: "file:line in function", of the person's own code where that is known; may be empty.
    traceback: whole, where it was raised; empty where the message, being ours, says all.
  """

  what: str
  kind: str
  message: str
  where: str
  traceback: str

  @classmethod
  def of(cls, error: BaseException, what: str = "") -> Failure:
    """Of an exception; of an `EnvironmentFailed`, the failure that it carries."""
    if isinstance(error, EnvironmentFailed):
      return error.failure
    frame = own_frame(error)
    told = type(error).__module__.partition(".")[0] in PACKAGES
    by_us = told or (isinstance(error, ValueError) and raised_by_us(error))
    place = frame or (None if by_us else next(iter(_frames(error)), None))
    message = _one_line(error)
    if isinstance(error, SyntaxError) and error.filename:  # it has no frame of its own
      place = (error.filename, error.lineno or 0, "")
      message = str(error.msg)
    if not message and place is not None:
      message = linecache.getline(place[0], place[1]).strip()
    return cls(
      what,
      "" if by_us else type(error).__name__,
      message,
      "" if place is None else _place(*place),
      "" if told and error.__cause__ is None else "".join(traceback.format_exception(error)),
    )

  def __str__(self) -> str:
    said = ": ".join(part for part in (self.what, self.kind, self.message) if part)
    return said + (f" ({self.where})" if self.where else "")


class EnvironmentFailed(RuntimeError):
  """An environment raised, got stuck or cannot be gone on with; `str` is one line.

  Attributes:
    failure: what happened, from whichever thread or process it happened in.
  """

  def __init__(self, failure: Failure):
    super().__init__(failure)
    self.failure = failure

  def __str__(self) -> str:
    return str(self.failure)

  @classmethod
  def saying(cls, what: str, message: str) -> EnvironmentFailed:
    """One that says all in a message of ours."""
    return cls(Failure(what, "", message, "", ""))


class EnvironmentWarning(RuntimeWarning):
  """Something is wrong with an environment, which is gone on with; the message says all."""


_format_any = warnings.formatwarning


def format_warning(
  message: Warning | str,
  category: type[Warning],
  filename: str,
  lineno: int,
  line: str | None = None,
) -> str:
  """To be `warnings.formatwarning`: one line for an `EnvironmentWarning`, Python's for others."""
  if issubclass(category, EnvironmentWarning):
    return f"rarebird: warning: {message}\n"
  return _format_any(message, category, filename, lineno, line)


def close_quietly(env: Any) -> None:
  """Closes an environment; what that raises is an `EnvironmentWarning`, for no result needs it."""
  try:
    env.close()
  except RAISED as error:
    told = f"the close() of an environment raised {Failure.of(error)}; it is gone on without."
    warnings.warn(told, EnvironmentWarning, stacklevel=3)


def raised(name: str, index: int, error: BaseException) -> Failure:
  """What environment `index` of a vector raised while it was stepped or reset."""
  return Failure.of(error, f"environment {name!r} (number {index}) failed")


def own_frame(error: BaseException) -> tuple[str, int, str] | None:
  """File, line and function of the person's own code nearest to where an exception was raised.

  None if no frame lies outside our packages, the standard library and installed packages. Looked
  for in the exception and in those that are its causes.
  """
  cause: BaseException | None = error
  while cause is not None:
    for frame in _frames(cause):
      if _is_own(*frame):
        return frame[:3]
    cause = cause.__cause__
  return None


def _frames(error: BaseException) -> Iterator[Any]:
  """(file, line, function, module) of every frame, the innermost first."""
  frames = []
  at: TracebackType | None = error.__traceback__
  while at is not None:
    code = at.tb_frame.f_code
    module = str(at.tb_frame.f_globals.get("__name__", ""))
    frames.append((code.co_filename, at.tb_lineno, code.co_qualname, module))
    at = at.tb_next
  return reversed(frames)


def _is_own(file: str, line: int, function: str, module: str) -> bool:
  if file.startswith("<") or module.partition(".")[0] in PACKAGES:
    return False
  path = os.path.realpath(file)
  installed = {"site-packages", "dist-packages"} & set(path.split(os.sep))
  return not installed and not path.startswith(_LIBRARIES)


def raised_by_us(error: BaseException) -> bool:
  """Whether the innermost frame of an exception is of our packages."""
  innermost = next(iter(_frames(error)), None)
  return innermost is not None and innermost[3].partition(".")[0] in PACKAGES


def _place(file: str, line: int, function: str, *_: str) -> str:
  here = os.path.join(os.getcwd(), "")
  shown = file.removeprefix(here)
  return f"{shown}:{line}" + (f" in {function}" if function else "")


def _one_line(error: BaseException) -> str:
  try:
    text = _CONTROL.sub("", " ".join(str(error).split()))
  except Exception:  # told as Python's own tracebacks tell it
    text = "<its str() failed>"
  return text if len(text) <= LONGEST else text[:LONGEST] + "..."
