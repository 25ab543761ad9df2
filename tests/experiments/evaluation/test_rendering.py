"""Drawing ends no run: scores first, and what cannot be drawn is one line."""

import io
import json

import pytest
from rich.console import Console

from experiments.evaluation import pictures


def refuse(constant):
  raise AssertionError(f"{constant} is no JSON")


@pytest.mark.parametrize(
  ("name", "line"),
  [
    (
      "Raises",
      "no clip: render() raised RuntimeError: no display :0 and more (quirks_rendering.py:",
    ),
    ("Nothing", "no clip: render() returned None, not a picture"),
    ("Breaks", "no clip: step() raised KeyError: 'battery_level'"),
  ],
)
def test_what_fails_in_the_clip_costs_the_clip_alone(train_here, name, line):
  flags = ("--env", f"quirks_rendering:{name}", "--env-args", "stepping=serial")
  status, out, err, run = train_here(*flags)
  assert status == 0
  assert out.splitlines()[-1].startswith(line)
  assert "Traceback" not in out + err
  assert "episodes a split" in out
  assert (run / "results.json").exists()
  assert (run / "curves.png").exists()
  assert not (run / "episode.gif").exists()


def test_one_episode_has_no_interval_anywhere(train_here):
  flags = ("--env", "quirks:Base", "--env-args", "stepping=serial", "--eval-episodes", "1")
  status, out, _, run = train_here(*flags)
  assert status == 0
  assert "nan" not in out
  assert "one episode a split: no intervals" in out
  results = json.loads((run / "results.json").read_text(), parse_constant=refuse)
  mean, low, high = results["train"]["return"]
  assert mean >= 0
  assert (low, high) == (None, None)


def test_a_picture_that_fails_is_one_line(tmp_path):
  output = io.StringIO()

  def fail(path):
    raise ValueError("zero-size array\nto reduction")

  pictures.draw(Console(file=output, width=20), "curves", tmp_path / "curves.png", fail)
  told = output.getvalue()
  assert told.startswith("no curves: ValueError: zero-size array to reduction (")
  assert told.count("\n") == 1


def test_a_picture_that_would_end_the_process_is_one_line(tmp_path):
  output = io.StringIO()

  def leave(path):
    raise SystemExit("no screen")  # as some libraries do

  pictures.draw(Console(file=output), "clip", tmp_path / "episode.gif", leave)
  assert output.getvalue().startswith("no clip: SystemExit: no screen (")


def test_where_there_is_nothing_to_draw_nothing_is_said(tmp_path):
  output = io.StringIO()
  pictures.draw(Console(file=output), "goal memory", tmp_path / "goals.png", lambda path: False)
  assert output.getvalue() == ""


def test_ctrl_c_ends_drawing(tmp_path):
  def interrupt(path):
    raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    pictures.draw(Console(quiet=True), "clip", tmp_path / "episode.gif", interrupt)
