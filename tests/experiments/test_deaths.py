"""`rarebird train` where an environment ends its process, exits, or fails to close."""

import re

import pytest

from envs.errors import EnvironmentWarning, format_warning
from experiments.runs.run_folder import read_rows


def only_line(outcome):
  assert outcome.status == 2, outcome.err
  assert outcome.err.count("\n") == 1, outcome.err
  return outcome.err.strip()


def flags(name, stepping="serial"):
  return "--env", f"quirks_deaths:{name}", "--env-args", f"stepping={stepping}"


@pytest.mark.filterwarnings("ignore::envs.errors.EnvironmentWarning")
def test_dying_at_every_step_is_one_line(train_here):
  ended = train_here(*flags("DiesAtEveryStep", "processes"))
  told = r"'quirks_deaths:DiesAtEveryStep': a worker process died \(exit code 9\), for the 3rd time"
  assert re.search(told, only_line(ended))


@pytest.mark.parametrize("stepping", ["serial", "threads", "processes"])
def test_an_exit_in_a_step_is_told_like_an_exception(train_here, stepping):
  ended = train_here(*flags("Exits", stepping))
  assert re.search(r"SystemExit: 3 \(quirks_deaths\.py:\d+ in Exits\.step\); ", only_line(ended))
  assert "sys.exit(3)" in (ended.run / "errors.log").read_text()


@pytest.mark.parametrize(
  ("name", "told"),
  [
    ("ExitsGenerator", r"GeneratorExit: odd \(quirks_deaths\.py:\d+ in ExitsGenerator\.step"),
    ("ExitsWhenBuilt", r"cannot be built: SystemExit: need a licence \(quirks_deaths\.py:"),
    ("ExitsWhenReset", r"cannot be built: SystemExit: 4 \(quirks_deaths\.py:\d+ in ExitsWhenRes"),
  ],
)
def test_an_exit_elsewhere_is_told_like_an_exception(train_here, monkeypatch, tmp_path, name, told):
  monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
  assert re.search(told, only_line(train_here(*flags(name))))


def test_an_exit_at_import_is_told_like_an_exception(train_here, monkeypatch, tmp_path):
  monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
  line = only_line(train_here("--env", "quirks_exit:Any"))
  assert re.search(r"cannot be built: SystemExit: 6 \(quirks_exit\.py:5 in <module>\)", line)


@pytest.mark.parametrize("name", ["BoomOnClose", "ExitsOnClose"])
def test_a_close_that_fails_is_warned_of_and_gone_on_without(train_here, name):
  with pytest.warns(EnvironmentWarning, match=rf"close\(\) of .*{name}\.close\); it is gone on"):
    ended = train_here(*flags(name))
  assert ended.status == 0, ended.err
  assert read_rows(ended.run)[-1]["step"] == 200


def test_a_warning_about_an_environment_is_one_line_and_others_keep_their_place():
  ours = format_warning(EnvironmentWarning("it died"), EnvironmentWarning, "checked.py", 41)
  assert ours == "rarebird: warning: it died\n"
  assert "mine.py:3: UserWarning: odd" in format_warning("odd", UserWarning, "mine.py", 3)
