"""What a person's own code raises reaches them in one line, and its traceback a file."""

import re
from pathlib import Path

import pytest

from experiments import cli
from experiments.runs.rows import check_finite
from experiments.settings.errors import Failed

ROW = {"seed": 3, "step": 400, "loss": 1.0, "finite_params": 1.0}


def only_line(outcome):
  """What a failed command printed on stderr, which is one line."""
  assert outcome.status == 2, outcome.err
  assert outcome.err.count("\n") == 1, outcome.err
  return outcome.err.strip()


def log(outcome):
  """The text of the run's errors.log, which the line names."""
  assert f"the whole traceback is in {outcome.run / 'errors.log'}." in outcome.err
  return (outcome.run / "errors.log").read_text()


@pytest.mark.parametrize("stepping", ["serial", "threads", "processes"])
def test_exception_message_file_and_line_are_told_however_it_is_stepped(train_here, stepping):
  ended = train_here("--env", "quirks:Boom", "--env-args", f"stepping={stepping}")
  line = only_line(ended)
  assert re.match(r"rarebird: actor 0: environment 'quirks:Boom' \(number \d\) failed: ", line)
  assert re.search(r"KeyError: 'battery_level is missing' \(quirks\.py:\d+ in Boom\.step\); ", line)
  assert "checkpoint" not in line
  assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d actor 0: ", log(ended))
  assert 'raise KeyError("battery_level is missing")' in log(ended)


@pytest.mark.parametrize(
  ("name", "told"),
  [
    ("BoomInEvaluation", r"evaluator: .*: LookupError: no map of the test town \(quirks_errors"),
    ("BoomOnReset", r"OSError: the simulator is not running \(quirks_errors\.py:\d+ in Boom"),
    ("LongMessage", r"RuntimeError: the first line the second line the third line \(quirks_err"),
    ("NoMessage", r"AssertionError: assert self\.t < 0 \(quirks_errors\.py:\d+ in NoMessage"),
    ("InLibrary", r"ValueError: all input .* shape \(quirks_errors\.py:\d+ in InLibrary\.step\)"),
  ],
)
def test_any_exception_is_told_well(train_here, name, told):
  ended = train_here("--env", f"quirks_errors:{name}", "--env-args", "stepping=serial")
  assert re.search(told, only_line(ended)), ended.err
  assert "Traceback (most recent call last)" in log(ended)


@pytest.mark.parametrize(
  ("name", "told"),
  [
    (
      "NaN",
      r"'quirks_errors:NaN' \(number \d\): reward is nan at step 5 of its episode, after act",
    ),
    ("Inf", r"\(number \d\): observation\[2\] is inf at step 5 of its episode, after action \d"),
    ("NoNumber", r"\(number \d\) failed: the reward is None \(NoneType\); expected one number"),
  ],
)
def test_a_number_that_nobody_can_learn_from_is_told_with_its_step(train_here, name, told):
  ended = train_here("--env", f"quirks_errors:{name}", "--env-args", "stepping=serial")
  assert re.search(told, only_line(ended)), ended.err


@pytest.mark.parametrize("env", ["quirks:HugeReward", "quirks_errors:HugeOnDevice"])
def test_a_huge_reward_is_the_rewards_size(train_here, env):
  line = only_line(train_here("--env", env))
  assert env in line
  assert "1e+30" in line
  assert "this reward is too large" in line
  assert "TransformReward" in line
  assert "learning-rate" not in line
  assert "checkpoint" not in line


def test_a_checkpoint_is_named_where_there_is_one(train_here, monkeypatch):
  flags = ["--env", "quirks_errors:BoomWhenTold", "--env-args", "stepping=serial"]
  assert train_here(*flags).status == 0
  monkeypatch.setenv("QUIRK_BOOM", "1")
  line = only_line(train_here(*flags, "--steps", "400"))
  assert "ValueError: broken since yesterday (quirks_errors.py:" in line
  assert line.endswith("The last checkpoint is kept; the same command resumes from it.")


def test_what_is_raised_while_the_environment_is_built_is_told_and_nothing_written(
  train_here, monkeypatch, tmp_path
):
  monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
  ended = train_here("--env", "quirks_errors:BoomWhenBuilt")
  line = only_line(ended)
  assert "environment 'quirks_errors:BoomWhenBuilt' cannot be built: FileNotFoundError: " in line
  assert "no_such_map.txt" in line
  assert re.search(r"\(quirks_errors\.py:\d+ in BoomWhenBuilt\.__init__\)", line)
  assert 'Path("no_such_map.txt")' in Path(line.split(" is in ")[1].rstrip(".")).read_text()
  assert not ended.run.exists()


def test_a_type_error_while_the_environment_is_built_is_told_as_what_it_is(
  train_here, monkeypatch, tmp_path
):
  monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
  line = only_line(train_here("--env", "quirks_building:WrongTypes"))
  assert line.count("quirks_building:WrongTypes") == 1
  assert "cannot be built: TypeError: object of type 'int' has no len()" in line
  assert re.search(r"\(quirks_building\.py:\d+ in WrongTypes\.__init__\)", line)


def test_a_bonus_of_ones_own_that_raises_is_told(train_here):
  ended = train_here("--env", "deep_sea", "--bonus", "quirks_errors:broken_bonus")
  line = only_line(ended)
  assert line.startswith("rarebird: learner: ")
  assert re.search(r"\(quirks_errors\.py:\d+ in broken_bonus\.<locals>\.reward\)", line)
  assert "surprise" in log(ended)


def test_a_bug_of_ours_keeps_its_traceback(train_here, monkeypatch):
  from experiments.evaluation import scores as evaluation

  monkeypatch.setattr(evaluation, "references", len)  # a TypeError, raised in our own code
  with pytest.raises(TypeError):
    train_here("--env", "deep_sea")


def test_evaluate_and_collect_tell_what_an_environment_raises(
  train_here, monkeypatch, tmp_path, capfd
):
  monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
  flags = ["--env", "quirks_errors:BoomWhenTold", "--env-args", "stepping=serial"]
  ended = train_here(*flags)
  monkeypatch.setenv("QUIRK_BOOM", "1")
  for command in (
    ["evaluate", str(ended.run), "--episodes", "2"],
    ["collect", *flags, "--episodes", "2", "--out", str(ended.run.parent / "data")],
  ):
    monkeypatch.setattr("sys.argv", ["rarebird", *command])
    with pytest.raises(SystemExit) as exit_:
      cli.main()
    told = capfd.readouterr().err
    assert exit_.value.code == 2
    assert "ValueError: broken since yesterday (quirks_errors.py:" in told
    assert "the whole traceback is in " in told


@pytest.mark.parametrize(
  ("changes", "told"),
  [
    ({"largest_reward": float("nan")}, "'mine', seed 3, steps 300 to 400: reward nan; look at"),
    ({"largest_observation": float("inf")}, "observation inf; look at its step"),
    ({"largest_reward": 1e20, "finite_params": 0.0}, r"reward 1e\+20; this reward is too large"),
    ({"largest_reward": 9e9, "finite_params": 0.0}, r"a parameter is not .*largest: reward 9e\+09"),
    ({"loss": float("nan")}, "loss is not finite, seed 3, steps 300 to 400; try a smaller --learn"),
  ],
)
def test_a_row_says_what_was_not_finite(changes, told):
  with pytest.raises(Failed, match=told):
    check_finite(ROW | changes, "mine", 100)


def test_a_sound_row_loses_what_it_was_checked_by():
  row = ROW | {"largest_reward": 1.0, "largest_observation": 0.0, "largest_discount": 1.0}
  check_finite(row, "mine", 100)
  assert row == {"seed": 3, "step": 400, "loss": 1.0}


def test_what_a_library_raises_while_the_environment_is_built_is_told(
  train_here, monkeypatch, tmp_path
):
  monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
  # A builder of the standard library, with which no code of anybody's own is on the way.
  zero = ("numerator=1", "denominator=0")
  line = only_line(train_here("--env", "fractions:Fraction", "--env-args", *zero))
  assert "environment 'fractions:Fraction' cannot be built: ZeroDivisionError: Fraction" in line
