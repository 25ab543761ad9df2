"""What is printed, in characters that the output has: a terminal, a log file, any locale."""

from __future__ import annotations

import codecs
import io
import locale
import math
import os
import sys
import warnings
from typing import Any

from rich.console import Console
from rich.progress import Progress, ProgressColumn, Task, TaskID
from rich.status import Status
from rich.text import Text

from envs.errors import format_warning

LINE_SHARE = 0.1
LINE_SECONDS = 60.0
"""Where no bar can be drawn, a line stands for it after so much of the work or so long."""
PLAIN = {ord("±"): "+-", ord("…"): "..."}
ERRORS = "rarebird.plain"


def _encode_plainly(error: UnicodeError) -> tuple[str | bytes, int]:
  """Writes what an encoding has no character for by its number; rich's mark of a cut, as a dot."""
  if isinstance(error, UnicodeEncodeError) and error.object[error.start] == "…":
    return ".", error.start + 1
  return codecs.backslashreplace_errors(error)


def prepare() -> None:
  """Has standard output and error take every text, and keep to ASCII in the C locale.

  Python itself writes UTF-8 there, unless it was told by a variable. A warning about an
  environment is one line.
  """
  warnings.formatwarning = format_warning
  codecs.register_error(ERRORS, _encode_plainly)
  told = os.environ.get("PYTHONIOENCODING") or os.environ.get("PYTHONUTF8")
  plain = not told and locale.setlocale(locale.LC_CTYPE) in ("C", "POSIX")
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(encoding="ascii" if plain else None, errors=ERRORS)


class _PlainConsole(Console):
  """Writes ASCII where the encoding has no more; rich itself does so for lines and bars alone."""

  def render_str(self, text: str, **options: Any) -> Text:
    return super().render_str(text.translate(PLAIN), **options)

  def status(self, status: Any, *, spinner: str = "line", **options: Any) -> Status:
    return super().status(status, spinner=spinner, **options)


def console(stderr: bool = False) -> Console:
  """A console on standard output, or error, which is plain where the encoding is not Unicode."""
  stream = sys.stderr if stderr else sys.stdout
  encoding = (getattr(stream, "encoding", None) or "utf-8").lower()
  return Console(stderr=stderr) if encoding.startswith("utf") else _PlainConsole(stderr=stderr)


def number(value: float | None, form: str) -> str:
  """A number by its format, "{:.2f}"; "-" for none, and for what is not finite."""
  return "-" if value is None or not math.isfinite(value) else form.format(value)


class Bar(Progress):
  """A progress bar; a line now and then where none can be drawn, as in a log file."""

  def __init__(self, *columns: ProgressColumn, console: Console):
    super().__init__(*columns, console=console, disable=not console.is_interactive)
    self._share, self._since = 0.0, self.get_time()

  def update(self, task_id: TaskID, **changes: Any) -> None:
    """As rich's; a new share or text of a task, by name."""
    super().update(task_id, **changes)
    if self.disable:
      self._log(next(task for task in self.tasks if task.id == task_id))

  def _log(self, task: Task) -> None:
    share, now = task.percentage / 100, self.get_time()
    if (
      share >= 1 > self._share
      or share >= self._share + LINE_SHARE
      or (share > self._share and now >= self._since + LINE_SECONDS)
    ):
      self._share, self._since = share, now
      cells = [column(task) for column in self.columns if isinstance(column, ProgressColumn)]
      words = " ".join(cell.plain for cell in cells if isinstance(cell, Text))
      self.console.print(words, highlight=False, markup=False, soft_wrap=True)
