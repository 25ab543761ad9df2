"""What is printed: plain where the output has no more, and readable in a log file."""

import contextlib
import io
import subprocess

import pytest
from rich.console import Console
from rich.progress import BarColumn, TextColumn

from experiments.commands import terminal
from experiments.evaluation import scores as evaluation
from tests.experiments.command_line import ENVIRONMENT, ROOT, command
from tests.experiments.conftest import TINY

SCORES = {
  "train": {
    "success": (0.5, 0.4, 0.6),
    "return": (0.5, 0.4, 0.6),
    "seeds": 1,
    "episodes_per_seed": 10,
  }
}


PLAIN = pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
"""Encodings without lines and bars."""


def printed(encoding, act):
  """What is written to a standard output of this encoding, as bytes."""
  written = io.BytesIO()
  with contextlib.redirect_stdout(io.TextIOWrapper(written, encoding=encoding)) as stream:
    terminal.prepare()
    act()
    stream.flush()
  return written.getvalue()


def show_table():
  terminal.console().print(evaluation.table(SCORES, {}, "runs/a"))


@PLAIN
def test_a_table_is_ascii_and_its_lines_are_of_one_length(encoding):
  lines = printed(encoding, show_table).decode("ascii").splitlines()
  assert "+-0.100" in "".join(lines)
  assert len({len(line) for line in lines}) == 1


def test_a_table_keeps_its_characters_where_there_are_such():
  assert "±0.100" in printed("utf-8", show_table).decode("utf-8")


@PLAIN
def test_every_text_can_be_printed(encoding):
  def act():
    print("runs/\u96ea")
    terminal.console().print("runs/\u96ea", markup=False)

  assert printed(encoding, act).count(b"runs/\\u96ea") == 2


@PLAIN
def test_what_is_cut_is_ascii(encoding):
  def act():
    console = terminal.console()
    bar = terminal.Bar(TextColumn("{task.description}"), console=console)
    bar.add_task("words " * 40)
    console.print(bar.make_tasks_table(bar.tasks))

  out = printed(encoding, act)
  assert out.startswith(b"words")
  assert b"\\u" not in out


@PLAIN
def test_the_spinner_is_ascii(encoding):
  def act():
    print("".join(terminal.console().status("evaluating").renderable.frames))

  assert printed(encoding, act) == b"-\\|/\n"


def test_a_log_has_a_line_for_every_tenth():
  output = io.StringIO()
  columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"))
  bar = terminal.Bar(*columns, console=Console(file=output, width=20, get_time=lambda: 0.0))
  with bar:
    task = bar.add_task("compiling", total=1000)
    for done in range(1, 1001):
      bar.update(task, completed=done, description=f"{done} steps, a long line that is not broken")
  lines = output.getvalue().splitlines()
  assert [line.rpartition(" ")[2] for line in lines] == [f"{10 * i}%" for i in range(1, 11)]
  assert lines[0] == "100 steps, a long line that is not broken 10%"


def test_a_log_of_a_long_run_has_a_line_a_minute():
  now = [0.0]
  output = io.StringIO()
  console = Console(file=output, width=80, get_time=lambda: now[0])
  bar = terminal.Bar(TextColumn("{task.description}"), console=console)
  with bar:
    task = bar.add_task("compiling", total=10_000)
    for done in range(1, 10):
      now[0] += 30.0
      bar.update(task, completed=done, description=f"at {now[0]:g} s")
  assert output.getvalue().splitlines() == ["at 60 s", "at 120 s", "at 180 s", "at 240 s"]


def test_numbers_that_are_none_are_a_dash():
  assert [terminal.number(x, "{:.1f}") for x in (0.25, None, float("nan"))] == ["0.2", "-", "-"]


def test_in_the_c_locale_a_run_prints_ascii_and_no_control_characters(tmp_path):
  own = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("PYTHON")}
  flags = ("--env", "deep_sea", "--env-args", "size=4", "--out", str(tmp_path / "run"))
  with open(tmp_path / "log", "wb") as log:
    ended = subprocess.run(
      command("train", *TINY, *flags),
      env=own | {"LC_ALL": "C", "PYTHONPATH": str(ROOT), "PYTHONWARNDEFAULTENCODING": "1"},
      cwd=tmp_path,
      stdout=log,
      stderr=subprocess.PIPE,
      text=True,
    )
  assert ended.returncode == 0
  printed = (tmp_path / "log").read_bytes()
  assert {byte for byte in printed if byte < 32 or byte > 126} == {ord("\n")}
  assert b"50%" in printed
  # Files are read and written as UTF-8, whatever the locale.
  warned = [line for line in ended.stderr.splitlines() if "EncodingWarning" in line]
  ours = tuple(str(ROOT / name) for name in ("agents", "envs", "experiments"))
  assert not [line for line in warned if line.startswith(ours)]
